"""Worlds: what stands where (layout), what it looks like on a date (scene), and the two kinds of world."""
