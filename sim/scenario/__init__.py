"""Whole flights in simulation: who does what, when, and who judges it."""
