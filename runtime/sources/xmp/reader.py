"""An XMP packet as what its makers say of the photo."""

from __future__ import annotations

from dataclasses import fields as names_of
from dataclasses import replace
from typing import Any

from runtime.sources.xmp import makers
from runtime.sources.xmp.packet import Namespace, fields_of
from runtime.sources.xmp.tags import MakerTags


def read_xmp(block: bytes | str | None, make: str = "", model: str = "") -> MakerTags:
    """What the packet says, of each kind by the first maker that says it; without any, an empty record.

    Args:
        make: of the camera, by its EXIF: some write another's names by their own convention.
        model: likewise.
    """
    fields = fields_of(block)
    if not fields:
        return MakerTags()
    said = MakerTags()
    for tags in (
        makers.dji(fields),
        makers.dji(fields, Namespace.AUTEL),
        makers.dji(fields, Namespace.DRONE),
        makers.skydio(fields),
        makers.parrot(fields),
        makers.pix4d(fields, make, model),
        makers.exif(fields),
    ):
        said = _filled(said, tags)
    return said


def _filled(said: MakerTags, tags: MakerTags) -> MakerTags:
    """``said`` with what it lacks of ``tags``; whether a camera's angles are zero goes with the camera."""
    lacking: dict[str, Any] = {
        one.name: getattr(tags, one.name)
        for one in names_of(MakerTags)
        if one.name != "camera_zero" and getattr(said, one.name) is None
    }
    zero = said.camera_zero if said.camera is not None else tags.camera_zero
    return replace(said, **lacking, camera_zero=zero)
