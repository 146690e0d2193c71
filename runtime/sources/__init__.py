"""What other people's files say of pictures and flights: photos, videos, subtitles and autopilot logs."""
