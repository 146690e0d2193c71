"""What is ArduPilot's own; `runtime.vehicle.px4.stack` holds the same file names."""
