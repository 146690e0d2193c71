"""Which engine has passed the whole parity gate on this computer, so that later starts compare a few images only.

A record is bound to everything the numbers depend on: the model file, the parity set, and the backend's library,
version, device and driver. A CPU's record is never a GPU's, since the devices differ.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from runtime.bundle import Bundle
from runtime.embedder.engine import Backend
from runtime.machine import cache_directory
from runtime.values import ViewKind


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


def has_passed(path: Path) -> bool:
    """Whether there is a record; a damaged one is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["passed"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep(path: Path, engine: str, cosine_min: float) -> None:
    """Write a record; where the disk is read-only the whole gate is passed at every start, which is only slower."""
    record = {"passed": True, "engine": engine, "cosine_min": cosine_min}
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(path)
    except OSError:
        return
