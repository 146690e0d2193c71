"""Autopilots' logs as tracks: telemetry (.tlog), ArduPilot's dataflash (.BIN, .log) and PX4's .ulg."""
