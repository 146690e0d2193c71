"""The folder of exported local features: ``features.json`` and a file for each precision, checked by their hashes."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from runtime.bundle import HashedFile, parse_manifest, sha256_of
from runtime.errors import BundleError
from runtime.whole_file import write_whole

FORMAT_VERSION = 1
MANIFEST = "features.json"


class Faithful(BaseModel):
    """How near a file comes to the network it was made from: the share of its points that the reference has at the same
    pixel, and of those the least cosine of descriptors and the largest change of a similarity between any two."""

    model_config = ConfigDict(frozen=True, extra="allow")

    reference: str
    device: str
    images: int
    points_share: float
    cosine_min: float
    similarity_change: float


class FeatureFile(HashedFile):
    """One exported precision."""

    bytes: int
    parity: Faithful


class FeatureManifest(BaseModel):
    """features.json, field by field. ``input_size_px``: side of the squares that go in; ``points``: how many come out
    of each; ``descriptor_dim``: numbers of a descriptor."""

    model_config = ConfigDict(frozen=True, extra="allow")  # fields may be added within a format version

    format_version: int
    name: str
    licence: str
    input_size_px: int = Field(gt=0)
    points: int = Field(gt=0)
    descriptor_dim: int = Field(gt=0)
    files: dict[str, FeatureFile] = Field(min_length=1)


def read_manifest(folder: Path) -> FeatureManifest:
    """The manifest of a folder whose files are all there and as it says.

    Raises:
        BundleError: it is none, is of a newer format, or a file differs.
    """
    absent = f"{folder} holds no local features: it has no {MANIFEST}; homing-export --features makes one."
    manifest = parse_manifest(folder / MANIFEST, FeatureManifest, FORMAT_VERSION, absent)
    for named in manifest.files.values():
        _check(folder / named.file, named.sha256)
    return manifest


def write_manifest(folder: Path, manifest: FeatureManifest) -> None:
    """Write features.json.

    Raises:
        StorageError: it cannot be written.
    """
    text = json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n"
    write_whole(folder / MANIFEST, text.encode())


def _check(path: Path, sha256: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"the file {path} cannot be read: {error.strerror}.") from error
    if found != sha256:
        raise BundleError(f"the file {path} is not the one {MANIFEST} names: its hash differs.")
