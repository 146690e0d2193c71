"""Tests of the built-in autopilot."""
