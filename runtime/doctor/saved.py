"""The file of what parameters were before they were set: written whole before the first of them is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.errors import StorageError, UsageError
from runtime.whole_file import write_whole

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter from ``old`` to ``new``; ``kind`` is its MAV_PARAM_TYPE, ``reboot``: it counts after a restart."""

    name: str
    old: float
    new: float
    kind: int
    reboot: bool


class SavedParameters:
    """The file, grown by `keep`; a parameter that is set twice keeps what it was at first."""

    def __init__(self, path: Path, stack: str, system_id: int) -> None:
        """Raises UsageError where there is a file already: what it holds may be wanted."""
        if path.exists():
            raise UsageError(f"{path} is there already; name another file with --saved, or move it away.")
        self.path, self._stack, self._system_id = path, stack, system_id
        self._changes: dict[str, Change] = {}

    def keep(self, changes: Iterable[Change]) -> None:
        """Writes these with all before them, to the disk. Raises StorageError."""
        for change in changes:
            first = self._changes.get(change.name, change)
            self._changes[change.name] = Change(change.name, first.old, change.new, change.kind, change.reboot)
        record = {
            "format": _FORMAT,
            "stack": self._stack,
            "system_id": self._system_id,
            "parameters": [asdict(change) for change in self._changes.values()],
        }
        try:
            write_whole(self.path, (json.dumps(record, indent=1) + "\n").encode(), durable=True)
        except StorageError as error:
            raise StorageError(f"{error} No parameter was set.") from None


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}$")]
    old: float
    new: float
    kind: Annotated[int, Field(ge=1, le=10)]
    reboot: bool


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)]
    stack: str
    system_id: int
    parameters: list[_Change]


def read_saved(path: Path, stack: str, system_id: int) -> list[Change]:
    """What was changed, in that order. Raises UsageError where the file is none, or another vehicle's."""
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(f"{path} holds no saved parameters: {where}: {first['msg']}.") from None
    if (file.stack, file.system_id) != (stack, system_id):
        raise UsageError(
            f"{path} is of {file.stack} with system id {file.system_id}, and this vehicle is {stack} with {system_id}."
        )
    return [Change(one.name, one.old, one.new, one.kind, one.reboot) for one in file.parameters]
