"""The status page: what the daemon knows and does, in a browser on the ground, without anything from elsewhere."""
