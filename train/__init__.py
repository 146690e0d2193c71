"""Learns the towers that embed drone, satellite and ground views; never on the drone."""
