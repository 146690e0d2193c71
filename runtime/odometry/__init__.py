"""Planar visual odometry: metres and turn between frames, from features tracked over level ground."""
