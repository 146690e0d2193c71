"""Bags of ROS 1 and ROS 2: their pictures as a film, their positions and attitudes as a track."""
