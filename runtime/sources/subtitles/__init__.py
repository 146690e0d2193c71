"""Subtitles that carry a camera's telemetry: DJI's of all generations, and Autel's."""
