"""Fills a template into one self-contained HTML file: no script, no network, pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2
from markupsafe import Markup

from runtime.values import ImageRGB
from runtime.whole_file import write_whole

_JPEG_QUALITY = 88


def picture_uri(image: ImageRGB) -> str:
    """(H, W, 3) uint8 RGB as a data URI."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def safe_svg(svg: str) -> Markup:
    """A drawing of our own, let through unescaped."""
    return Markup(svg)  # noqa: S704 (made by matplotlib from escaped text)


def write_page(path: Path, template: str, **context: Any) -> None:
    """Render ``templates/<template>`` to ``path``, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["picture"] = picture_uri
    text = environment.get_template(template).render(**context)
    write_whole(path, text.encode())
