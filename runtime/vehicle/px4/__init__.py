"""What is PX4's own; `runtime.vehicle.ardupilot` holds the same file names."""
