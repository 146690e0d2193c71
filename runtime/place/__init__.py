"""Where is this target? From a satellite picture to a place with a probability, or an honest no."""
