"""The shipped bundle with a dozen of its parity images: the same towers, and a gate of a moment."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np

from runtime.bundle import DEFAULT_BUNDLE, MANIFEST, Bundle, sha256_of
from runtime.embedder.parity_set import Crops, parity_embeddings, parity_images, write_sheet

COUNT = 12


@cache
def shipped_images() -> Crops:
    """(N, S, S, 3): the parity images of the bundle that ships, read once in a process."""
    images = parity_images(Bundle.load())
    images.setflags(write=False)  # every test sees the same ones
    return images


def small_bundle(path: Path) -> Bundle:
    """Write it to a directory that does not exist yet."""
    shipped = Bundle.load()
    rows = np.r_[0 : COUNT - 4, -4:0]  # views with their near neighbours, and some extremes
    images = shipped_images()[rows]
    shutil.copytree(DEFAULT_BUNDLE, path, ignore=shutil.ignore_patterns("parity"))
    (path / "parity").mkdir()
    write_sheet(path / "parity" / "few.png", images)
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    manifest["parity"]["images"] = [{"file": "parity/few.png", "sha256": sha256_of(path / "parity" / "few.png")}]
    for view in shipped.views:
        name = f"parity/{view.value}.npy"
        np.save(path / name, parity_embeddings(shipped, view)[rows])
        manifest["parity"]["embeddings"][view.value] = {"file": name, "sha256": sha256_of(path / name)}
    (path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return Bundle.load(path)
