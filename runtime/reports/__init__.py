"""What a vehicle reports of itself, live or in a log, as typed values; what is not to be believed is None."""
