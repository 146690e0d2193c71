"""A run's state on disk: everything that a resumed run needs to give the same numbers, bit for bit on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from runtime.errors import ConfigError, StorageError
from train.weights import UNREADABLE

FILE = "state.pt"


@dataclass(frozen=True, slots=True)
class State:
    """``digest`` of the configuration; ``step`` to do next; ``parts``: the state dicts and arrays of the loop."""

    digest: str
    step: int
    parts: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write in one step: a reader sees the old one or the new one.

        Raises:
            StorageError: it cannot be written.
        """
        draft = folder / (FILE + ".new")
        try:
            torch.save({"digest": self.digest, "step": self.step, "parts": dict(self.parts)}, draft)
            os.replace(draft, folder / FILE)
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
            raise StorageError(f"{folder / FILE} cannot be written: {error}.") from error

    @classmethod
    def load(cls, folder: Path, digest: str) -> State | None:
        """The state to go on from, None where there is none.

        Raises:
            ConfigError: it is another configuration's, or damaged.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            state = cls(content["digest"], int(content["step"]), content["parts"])
        except (*UNREADABLE, TypeError) as error:
            raise ConfigError(f"{path} is damaged: remove it to begin again.") from error
        if state.digest != digest:
            raise ConfigError(
                f"{folder} holds a run of another configuration: name another folder in run.out, or remove it."
            )
        return state
