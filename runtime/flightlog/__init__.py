"""Everything that happened, safe against a kill at any instant."""
