"""Where is this view? From likely keyframes to a verified position in metres."""
