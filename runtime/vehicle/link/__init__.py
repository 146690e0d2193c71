"""Bytes of the vehicle link: sockets and serial ports, MAVLink framing, the dialect."""
