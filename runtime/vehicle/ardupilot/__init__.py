"""What is ArduPilot's own; `runtime.vehicle.px4` holds the same file names."""
