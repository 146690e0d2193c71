"""Recording: what a flight saw and where it was, from live frames, photos, video with telemetry, or a map."""
