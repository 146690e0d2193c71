"""The commands of `homing-sim`."""
