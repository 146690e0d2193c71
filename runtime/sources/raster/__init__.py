"""Georeferenced rasters: what their bands mean, where they lie, and windows of them north-up in metres."""
