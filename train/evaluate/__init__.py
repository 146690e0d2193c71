"""Measures towers: the University-1652 protocol, a gallery of one area, and out-of-coverage queries."""
