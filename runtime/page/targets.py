"""Targets that were uploaded: where each is, with its candidates, so that several can be looked at side by side."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.page.asking import Answer, Asker
from runtime.page.pictures import UploadError, examined, received

_SENTENCES = ("target", "reason", "error")  # of an answer, in which the file is named
KEPT = 6  # targets; with one more the oldest goes
_NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class UploadedTarget:
    """``path``: where it is kept; ``thumbnail``: a JPEG; ``answer``: the daemon's, None while it is being located."""

    upload_id: str
    name: str
    gsd_m: float | None
    path: Path
    thumbnail: bytes
    answer: Answer | None = None

    def as_json(self) -> dict[str, Any]:
        """What a page shows of it; a file's path here is nobody's business."""
        answer = None if self.answer is None else self.named(self.answer)
        return {"id": self.upload_id, "name": self.name, "gsd_m": self.gsd_m, "answer": answer}

    def named(self, answer: Answer) -> Answer:
        """An answer that speaks of the file as the operator calls it."""
        said = {key: answer[key] for key in _SENTENCES if isinstance(answer.get(key), str)}
        return {**answer, **{key: text.replace(str(self.path), self.name) for key, text in said.items()}}


@dataclass
class Targets:
    """The uploads, newest last; all methods run in the page's event loop. ``version`` grows with every change."""

    asker: Asker
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="homing-targets-")))
    kept: tuple[UploadedTarget, ...] = ()
    version: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """To be called where an event loop begins to serve: what belonged to one that failed is forgotten."""
        self._receiving = asyncio.Lock()
        self._locating = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Removes the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, upload_id: str) -> UploadedTarget | None:
        """The upload of that id."""
        return next((one for one in self.kept if one.upload_id == upload_id), None)

    def without_paths(self, text: str) -> str:
        """A sentence that speaks of uploads as the operator calls them, also of those that are gone."""
        for target in self.kept:
            text = text.replace(str(target.path), target.name)
        return text.replace(f"{self.folder}/", "")

    def named(self, answer: Answer) -> Answer:
        """An answer about any of the uploads, which speaks of each as the operator calls it."""
        for target in self.kept:
            answer = target.named(answer)
        return answer

    async def upload(self, pieces: AsyncIterator[bytes], name: str, gsd_m: float | None) -> UploadedTarget:
        """Takes a picture, and has it located; the answer comes later.

        Raises:
            UploadError: it is not taken.
        """
        if self._receiving.locked():
            raise UploadError(503, "another picture is being sent; send this one when that is done.")
        async with self._receiving:
            upload_id = secrets.token_hex(4)
            path = self.folder / upload_id
            await received(pieces, path)
            try:
                ending, thumbnail = await asyncio.to_thread(examined, path)
            except UploadError:
                path.unlink(missing_ok=True)
                raise
            path = path.rename(path.with_suffix(ending))
        target = UploadedTarget(upload_id, _plain(name), gsd_m, path, thumbnail)
        self._set((*self.kept, target))
        self.locate(upload_id)
        return target

    def locate(self, upload_id: str) -> bool:
        """Has an upload located (again), after which it is the target that waits; False where there is none."""
        target = self.get(upload_id)
        if target is None:
            return False
        self._replace(replace(target, answer=None))
        task = asyncio.get_running_loop().create_task(self._located(target))
        self._tasks.add(task)  # the loop itself holds it only weakly
        task.add_done_callback(self._tasks.discard)
        return True

    async def _located(self, target: UploadedTarget) -> None:
        async with self._locating:  # the daemon locates one at a time
            request = {"command": "target", "image": str(target.path), "target_gsd_m": target.gsd_m}
            answer = await self.asker.ask(request)
        self._replace(replace(target, answer=answer))

    def _replace(self, target: UploadedTarget) -> None:
        self._set(tuple(target if one.upload_id == target.upload_id else one for one in self.kept))

    def _set(self, targets: tuple[UploadedTarget, ...]) -> None:
        for gone in targets[:-KEPT]:
            gone.path.unlink(missing_ok=True)
        self.kept = targets[-KEPT:]
        self.version += 1


def _plain(name: str) -> str:
    """A file's name for people: without a folder and without what does not print."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:_NAME_CHARACTERS] or "target"
