"""An engine on disk: one file with its key, its parity and its plan, replaced in one step, the previous one kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import EngineError, StorageError
from runtime.gpu.key import EngineKey, Profile
from runtime.machine import cache_directory

_MAGIC = b"HOMING-ENGINE-1\n"  # then the length of the JSON in 8 bytes, the JSON, and the plan


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """``plan``: what TensorRT serialised. ``facts``: parity, seconds the build took, the builder's warnings."""

    key: EngineKey
    plan: bytes
    facts: dict[str, Any]


def engine_path(model: Path, profile: Profile, suffix: str = "engine") -> Path:
    """Where the engine of a model file for a profile is kept, outside the bundle."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()[:16]
    return cache_directory() / "engines" / f"{model.stem}.{digest}.{profile.name}.{suffix}"


def rebuild_command(model: Path, profile: Profile) -> str:
    """The one command that builds the engine again."""
    return f"homing engine build --bundle {model.parent} --profile {profile.name}"


def write_engine(path: Path, engine: BuiltEngine) -> None:
    """Put an engine in its place in one step; the one that was there is kept beside it as ``.previous``.

    Raises:
        StorageError: it cannot be written.
    """
    head = {"key": engine.key.as_record(), "plan_sha256": hashlib.sha256(engine.plan).hexdigest(), **engine.facts}
    text = json.dumps(head, sort_keys=True).encode()
    draft, previous = path.with_suffix(".new"), path.with_suffix(".previous")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(_MAGIC + len(text).to_bytes(8, "big") + text + engine.plan)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            previous.unlink(missing_ok=True)
            os.link(path, previous)
        os.replace(draft, path)
    except OSError as error:
        raise StorageError(f"the engine {path} cannot be written: {error.strerror}.") from error


def read_engine(path: Path) -> BuiltEngine:
    """What `write_engine` wrote.

    Raises:
        EngineError: there is none, or it is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"there is no engine at {path}: {error.strerror}.") from error
    start = len(_MAGIC) + 8
    length = int.from_bytes(data[len(_MAGIC) : start], "big")
    try:
        if not data.startswith(_MAGIC):
            raise ValueError("it does not begin as one")
        head = json.loads(data[start : start + length])
        plan = data[start + length :]
        if hashlib.sha256(plan).hexdigest() != head.pop("plan_sha256"):
            raise ValueError("its hash differs")
        return BuiltEngine(EngineKey.read(head.pop("key")), plan, head)
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"the engine {path} is damaged: {error}.") from error
