"""The fault matrix: what may break on a drone, what the daemon then does, and what it tells people of it."""
