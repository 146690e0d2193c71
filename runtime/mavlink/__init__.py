"""MAVLink on the wire and in files: the dialect, and bytes to packets and back."""
