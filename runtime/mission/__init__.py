"""Missions: the route as items in both autopilots' dialects, in ground stations' files and over the link."""
