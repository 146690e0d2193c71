"""The daemon: the one place that wires the rooms, one event at a time."""
