"""Checks before take-off: the autopilot's parameters and the link's rates; parameters are set only when told to."""
