"""Which engine has passed the whole parity gate on this computer, and the few images that later starts compare.

A record is bound to everything the numbers depend on: the model file, the parity set, and the backend's library,
version, device and driver. A CPU's record is never a GPU's, since the devices differ. The few images stand beside it as
they were decoded: to decode the whole set takes a quarter of a start's time and 300 MB for a moment.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.engine import Backend
from runtime.errors import StorageError
from runtime.machine import cache_directory
from runtime.values import ViewKind
from runtime.whole_file import write_whole


@dataclass(frozen=True, eq=False)
class Sample:
    """A few of the parity images: ``rows`` (K,) int64 in the set's order, ``crops`` (K, S, S, 3) uint8 RGB."""

    rows: NDArray[np.int64]
    crops: NDArray[np.uint8]

    def of(self, count: int, size_px: int) -> bool:
        """Whether it can be one of a set of ``count`` images of ``size_px``."""
        shape = (len(self.rows), size_px, size_px, 3)
        within = bool(len(self.rows)) and bool(((self.rows >= 0) & (self.rows < count)).all())
        return within and self.crops.shape == shape and self.crops.dtype == np.uint8


def record_path(bundle: Bundle, view: ViewKind, precision: str, backend: Backend) -> Path:
    """Where the record of one tower on one backend is kept."""
    parity = bundle.manifest.parity
    bound_to = {
        "model": bundle.model(view, precision).sha256,
        "images": [named.sha256 for named in parity.images],
        "embeddings": parity.embeddings[view].sha256 if view in parity.embeddings else "",
        "backend": {"name": backend.name, **backend.identity()},
    }
    digest = hashlib.sha256(json.dumps(bound_to, sort_keys=True).encode()).hexdigest()
    return cache_directory() / "parity" / f"{digest[:32]}.json"


def passed_sample(path: Path) -> Sample | None:
    """The images to compare where the engine has passed the whole gate; None where it has not, or either file is
    damaged or of before the images stood beside the record."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        data = path.with_suffix(".npz").read_bytes()
        if record["passed"] is not True or record["sample"] != hashlib.sha256(data).hexdigest():
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return Sample(arrays["rows"], arrays["crops"])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None


def keep(path: Path, engine: str, cosine_min: float, sample: Sample) -> None:
    """Write a record; where the disk is read-only the whole gate is passed at every start, which is only slower."""
    packed = io.BytesIO()
    np.savez(packed, rows=sample.rows, crops=sample.crops)
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    record = {"passed": True, "engine": engine, "cosine_min": cosine_min, "sample": digest}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, data in ((path.with_suffix(".npz"), packed.getvalue()), (path, json.dumps(record).encode())):
            write_whole(target, data)
    except (OSError, StorageError):
        return
