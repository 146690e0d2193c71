"""Local features that a network finds and describes: optional, from a folder that `homing-export --features` makes."""
