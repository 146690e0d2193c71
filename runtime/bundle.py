"""The bundle: the contract between training and flight, read-only and checked against its own hashes.

```
bundle.json   format version, name, licence, embedding space, footprint ladder; per tower and precision file, sha256
              and parity; acceptance per ordered pair of views (key "calibration"); training summary
*.onnx        one file per tower and precision; towers that share weights name one file twice
parity/       the fixed images every engine is compared on, and what the reference made of them
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runtime.errors import BundleError
from runtime.values import ViewKind
from runtime.whole_file import write_whole

FORMAT_VERSION = 2  # 2: an embedding may end with the appearance
MANIFEST = "bundle.json"
DEFAULT_BUNDLE = Path(__file__).parent / "bundles" / "default"
PRECISIONS = ("fp32", "fp16", "int8")
_ManifestT = TypeVar("_ManifestT", bound=BaseModel)
_COVERED_SHARE = 0.97  # of a footprint's side, from which a square counts as covering it


class _Part(BaseModel):
    # Fields may be added within a format version, so unknown ones are let through.
    model_config = ConfigDict(frozen=True, extra="allow")


class ParityRun(_Part):
    """One way in which a file was run over the parity images."""

    optimised: bool  # by ONNX Runtime, when it loads the graph
    batch: int
    cosine_min: float
    cosine_mean: float
    similarity_change: float
    top1_share: float


class Parity(_Part):
    """How faithful a file is to the reference on the parity images, and where that was measured.

    The worst of ``runs``. What a CPU measured says nothing of a GPU, which is why ``device`` names it. ``peak``: the
    largest magnitude, in float32, of the values that the file holds in float16, and ``peak_value`` whose it is.
    """

    reference: str
    device: str
    images: int
    cosine_min: float
    cosine_mean: float
    similarity_change: float
    same_top1: bool
    top1_share: float = 1.0
    peak: float | None = None
    peak_value: str | None = None
    runs: tuple[ParityRun, ...] = ()


class HashedFile(_Part):
    """A file of the bundle: ``file`` relative to it, and the sha256 it must have."""

    file: str
    sha256: str

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise ValueError("points outside the bundle")
        return file


class ModelFile(HashedFile):
    """One exported tower at one precision."""

    bytes: int
    parity: Parity


class ParitySet(_Part):
    """``images`` in order, each a crop or a sheet of them; ``embeddings``: per tower the reference's (N, D) array."""

    images: tuple[HashedFile, ...] = Field(min_length=1)
    embeddings: dict[ViewKind, HashedFile]


class AcceptanceTable(_Part):
    """A raw table for one ordered pair of views; `runtime.matching.acceptance` gives it meaning."""

    query: ViewKind
    gallery: ViewKind
    table: dict[str, Any]


class Manifest(_Part):
    """bundle.json, field by field."""

    format_version: int
    name: str
    licence: str
    embedding_space_id: str
    input_size_px: int = Field(gt=0)
    embedding_dim: int = Field(gt=0)
    appearance_dim: int = Field(default=0, ge=0)  # of those, the last
    map_shape: tuple[int, int, int] | None
    footprints_m: tuple[float, ...] = Field(min_length=1)
    towers: dict[ViewKind, dict[str, ModelFile]] = Field(min_length=1)
    parity: ParitySet
    calibration: tuple[AcceptanceTable, ...] = ()
    training: dict[str, Any]


class Bundle:
    """A bundle on disk whose version and hashes have been checked; made by `Bundle.load`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def load(cls, path: Path | None = None) -> Bundle:
        """Read and verify a bundle; None is the one shipped with the package.

        Raises:
            BundleError: it is missing, damaged, tampered with, or of a newer format.
        """
        path = DEFAULT_BUNDLE if path is None else Path(path)
        manifest = _parse(path / MANIFEST)
        for file, sha256 in {named.file: named.sha256 for named in _files(manifest)}.items():
            _verify(path / file, sha256)
        return cls(path, manifest)

    @property
    def name(self) -> str:
        """The bundle's name, for people."""
        return self.manifest.name

    @property
    def embedding_space_id(self) -> str:
        """Names the checkpoint, the preprocessing and the head; equal for every precision that passed parity."""
        return self.manifest.embedding_space_id

    @property
    def footprints_m(self) -> tuple[float, ...]:
        """The ladder of ground footprints in metres, ascending; only equal footprints are compared."""
        return self.manifest.footprints_m

    @property
    def input_size_px(self) -> int:
        """Side S of the (N, S, S, 3) crops the towers take."""
        return self.manifest.input_size_px

    @property
    def embedding_dim(self) -> int:
        """D of the (N, D) embeddings."""
        return self.manifest.embedding_dim

    @property
    def shared_dim(self) -> int:
        """How many of the D, from the first, views of different kinds share. The rest is what a whole crop looks like,
        which season, weather and sensor change: only views of one kind are compared by it."""
        return self.manifest.embedding_dim - self.manifest.appearance_dim

    @property
    def map_shape(self) -> tuple[int, int, int] | None:
        """(C, h, w) of the spatial map, or None where the model has none."""
        return self.manifest.map_shape

    @property
    def views(self) -> tuple[ViewKind, ...]:
        """The views this bundle has a tower for."""
        return tuple(self.manifest.towers)

    def model(self, view: ViewKind, precision: str) -> ModelFile:
        """The file of a tower at a precision.

        Raises:
            BundleError: the bundle has no such tower or precision.
        """
        tower = self.manifest.towers.get(view)
        if tower is None:
            raise BundleError(f"the bundle {self.name} has no {view.value} tower.")
        if precision not in tower:
            have = ", ".join(sorted(tower))
            raise BundleError(f"the bundle {self.name} has no {precision} {view.value} tower, only {have}.")
        return tower[precision]

    def acceptance(self, query: ViewKind, gallery: ViewKind) -> dict[str, Any] | None:
        """The raw acceptance table of an ordered pair of views, None where there is none."""
        for entry in self.manifest.calibration:
            if (entry.query, entry.gallery) == (query, gallery):
                return dict(entry.table)
        return None


def rungs_within(footprints_m: Sequence[float], side_m: float) -> tuple[float, ...]:
    """The footprints in metres that a square of ``side_m`` covers, to 3 %."""
    return tuple(footprint_m for footprint_m in footprints_m if footprint_m * _COVERED_SHARE <= side_m)


def write_acceptance(path: Path, query: ViewKind, gallery: ViewKind, table: dict[str, Any]) -> None:
    """Put (or replace) the acceptance table of an ordered pair of views into a bundle's manifest, atomically.

    Raises:
        BundleError: there is no readable bundle at ``path``.
        StorageError: it cannot be written.
    """
    manifest = _parse(path / MANIFEST)
    others = [c for c in manifest.calibration if (c.query, c.gallery) != (query, gallery)]
    entries = [*others, AcceptanceTable(query=query, gallery=gallery, table=table)]
    entries.sort(key=lambda c: (c.query.value, c.gallery.value))
    write_manifest(path, manifest.model_copy(update={"calibration": tuple(entries)}))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write bundle.json in one step: a reader sees the old one or the new one.

    Raises:
        StorageError: it cannot be written.
    """
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    write_whole(path / MANIFEST, text.encode())


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def parse_manifest(path: Path, kind: type[_ManifestT], newest_format: int, absent: str) -> _ManifestT:
    """A folder's JSON manifest of any ``kind``, checked; ``absent`` is the sentence where there is none.

    Raises:
        BundleError: there is none, it cannot be read, is damaged, or is of a format after ``newest_format``.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(absent) from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BundleError(f"{path} is damaged: it is not JSON ({error}).") from error
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if not isinstance(version, int):
        raise BundleError(f"{path} is damaged: it names no format version.")
    if version > newest_format:
        raise BundleError(f"{path} is of format {version}, this program reads up to {newest_format}: update homing.")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path} is damaged: {where}: {first['msg']}.") from error


def _parse(path: Path) -> Manifest:
    return parse_manifest(path, Manifest, FORMAT_VERSION, f"{path.parent} is no bundle: it has no {MANIFEST}.")


def _files(manifest: Manifest) -> Iterator[HashedFile]:
    """Every file the manifest names."""
    for tower in manifest.towers.values():
        yield from tower.values()
    yield from manifest.parity.images
    yield from manifest.parity.embeddings.values()


def _verify(path: Path, sha256: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"the bundle's file {path} cannot be read: {error.strerror}.") from error
    if found != sha256:
        raise BundleError(f"the bundle's file {path} is not the one bundle.json names: its hash differs.")
