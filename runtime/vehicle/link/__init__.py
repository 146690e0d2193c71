"""Bytes of the vehicle link: sockets and serial ports, and the codec between them."""
