"""What a camera's URI says before anything is opened."""

from __future__ import annotations

from urllib.parse import urlsplit

_LEFT_OUT = "(left out)"


def is_live(uri: str) -> bool:
    """Whether a camera that stops may come back, rather than a file that has ended."""
    return "://" in uri or uri.startswith(("/dev/video", "v4l2:", "gst:"))


def without_secret(uri: str) -> str:
    """The address for logs and messages: scheme and host alone, for the rest may hold a password or a token; that of a
    file or a device as it is."""
    if uri.startswith("gst:"):
        return f"gst:{_LEFT_OUT}"
    if "://" not in uri:
        return uri
    try:
        parts = urlsplit(uri)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return _LEFT_OUT
    bare = uri.rstrip("/") == f"{parts.scheme}://{host}"
    if parts.scheme == "file" or bare:
        return uri
    return f"{parts.scheme}://{host}/{_LEFT_OUT}"
