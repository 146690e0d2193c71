"""A local control socket: what a pilot's or operator's terminal may ask of a flying daemon."""
