"""Authority on paper: a vehicle for which all is well, all that may happen to it, and what guidance then does."""
