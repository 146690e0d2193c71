"""The built-in autopilot: real MAVLink bytes, behaving as ArduCopter does for the part it covers."""
