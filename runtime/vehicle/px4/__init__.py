"""What is PX4's own; `runtime.vehicle.ardupilot.stack` holds the same file names."""
