"""Whether the autopilot's estimator is fed with the camera's position, with what, and when it is to fly on it."""
