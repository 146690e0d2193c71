"""What the autopilot says: its state, its poses, its clock, and the streams that carry them."""
