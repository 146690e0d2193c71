"""Flies: from camera frame to place to waypoint, on the drone and under the simulator alike."""
