"""Frames with a capture time, from a URI."""
