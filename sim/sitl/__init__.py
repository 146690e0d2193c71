"""Scenarios with a real autopilot's firmware on the other end: ArduPilot's and PX4's own simulators, in real time."""
