"""The commands that people and programs type."""
