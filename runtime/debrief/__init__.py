"""After the flight: what its log says of errors, delays and drops, of every command with its cause and answer."""
