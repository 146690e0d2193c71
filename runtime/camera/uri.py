"""What a camera's URI says before anything is opened."""

from __future__ import annotations


def is_live(uri: str) -> bool:
    """Whether a camera that stops may come back, rather than a file that has ended."""
    return "://" in uri or uri.startswith(("/dev/video", "v4l2:", "gst:"))
