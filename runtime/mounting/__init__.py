"""How a camera sits in the body and how late its frames are stamped, from a flight with turns in it."""
