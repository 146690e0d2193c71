"""A world, a camera and an autopilot that drive runtime/ through its own seams."""
