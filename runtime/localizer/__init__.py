"""Where the aircraft is: by the autopilot's word, or by a filter over what its camera shows."""
