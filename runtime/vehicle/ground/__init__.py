"""What the ground is told, and what it may ask: presence, texts, figures, and the operator's words by radio."""
