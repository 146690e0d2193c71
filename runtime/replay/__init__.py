"""A logged flight through the daemon again, and what came out otherwise."""
