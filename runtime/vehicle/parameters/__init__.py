"""The autopilot's parameters: read by name, and held against what flying with it needs; none is set from here."""
