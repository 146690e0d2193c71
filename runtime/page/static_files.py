"""The page's own files, read once: what is asked for is a name in this table and never a path on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """Its bytes, and what they are."""

    content: bytes
    media_type: str


def static_files() -> dict[str, StaticFile]:
    """Every file of the page by its name."""
    found = {}
    for file in files("runtime.page").joinpath("static").iterdir():
        media_type = _TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None and file.is_file():
            found[file.name] = StaticFile(file.read_bytes(), media_type)
    return found
