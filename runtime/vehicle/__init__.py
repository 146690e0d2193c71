"""The vehicle room: MAVLink 2 to an autopilot, without sockets, clocks or threads in its core."""
