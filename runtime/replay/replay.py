"""A recorded flight through the daemon again: the same bytes, frames, requests and ticks, at their own instants."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.config.config import Config
from runtime.daemon.assembly import assemble, load_embedder
from runtime.daemon.daemon import Daemon
from runtime.embedder.embedder import Embedder
from runtime.errors import ConfigError
from runtime.events import ControlRequest, Event, FrameArrived
from runtime.replay.outcome import Outcome, OutcomeJournal
from runtime.replay.past import Past, history_before, of_space
from runtime.replay.recording import Ended, Given, Lost, Recording
from runtime.replay.started import versions
from runtime.replay.workers import LoggedJob, ReplayWorkers

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What followed this time, by ``end_t_ns``, the last instant that the log could be replayed to.

    ``frames``: given again; ``lost_frames``: that the log had lost. ``finished``: the flight's own end was reached.
    ``past``: the history that it began with. ``versions`` of what computed, by name.
    """

    outcome: Outcome
    end_t_ns: int
    frames: int
    lost_frames: int
    finished: bool
    past: Past
    versions: dict[str, str]


def config_of(recording: Recording) -> Config:
    """The configuration in force in the flight.

    Raises:
        ConfigError: this version does not know it as it is.
    """
    try:
        config = Config.model_validate(recording.start.config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"the configuration in {recording.path} is not one of this version ({where}: {first['msg']}); "
            "give one by --config."
        ) from None
    return config


def replay(
    recording: Recording,
    config: Config,
    *,
    history: Path | None = None,
    embedder: Embedder | None = None,
    step: Callable[[int], None] = lambda t_ns: None,
) -> Replayed:
    """Replays a flight on a temporary copy of its history, as that was when the flight began.

    ``history``: where it lies, instead of where ``config`` says. ``embedder``: of the configured bundle, where one is
    loaded already. ``step`` is told how far it has come.

    Raises:
        HistoryError: the history is missing, foreign or damaged.
        BundleError: the bundle is missing or damaged, or nothing runs it.
        StorageError: there is no room for the copy.
    """
    with tempfile.TemporaryDirectory(prefix="homing-replay-") as name:
        folder = Path(name)
        copied = history_before(recording.start, history, config.history.path, folder / "history.db")
        targets = folder / "targets"
        targets.mkdir()
        own = config.history.model_copy(update={"path": copied.copy})
        unsigned = config.bundle.model_copy(update={"signed_by": None})  # nothing flies here
        here = config.model_copy(update={"history": own, "bundle": unsigned})
        towers = embedder or load_embedder(here)
        past = of_space(copied, towers)
        journal, start = OutcomeJournal(), recording.start
        workers = ReplayWorkers(recording.jobs, start.jobs_inline, recording.last_t_ns)
        assembly = assemble(
            here, workers, dry_run=start.dry_run, journal=journal, embedder=towers, flight=start.flight
        )
        try:
            run = _Run(assembly.daemon, workers, recording)
            for given in recording.given(targets):
                run.take(given)
                step(run.end_t_ns)
        finally:
            assembly.close()
    return Replayed(
        journal.outcome, run.end_t_ns, run.frames, run.lost_frames, run.finished, past, versions(towers)
    )


class _Run:
    """Steps the daemon."""

    def __init__(self, daemon: Daemon, workers: ReplayWorkers, recording: Recording) -> None:
        self._daemon, self._workers = daemon, workers
        self._asked = _Targets(recording.followed)
        self.end_t_ns = recording.first_t_ns
        self.frames = self.lost_frames = 0
        self.finished = False

    def take(self, given: Given) -> None:
        """What the daemon was given in the flight, after the jobs that ended before it in this replay alone."""
        for done in self._workers.due(given.t_ns):
            self._step(done)
        self.end_t_ns = max(self.end_t_ns, given.t_ns)
        if isinstance(given, LoggedJob):
            ended = self._workers.ended(given)
            if ended is not None:
                self._step(ended)
        elif isinstance(given, Lost):
            self.lost_frames += 1
        elif isinstance(given, Ended):
            self._daemon.close(given.t_ns)
            self.finished = True
        elif isinstance(given, ControlRequest):
            self._step(self._asked.again(given))
        else:
            self.frames += isinstance(given, FrameArrived)
            self._step(given)

    def _step(self, event: Event) -> None:
        self._workers.now_ns = event.t_ns
        self._daemon.step(event)


class _Targets:
    """The ids of targets, which hold the place that was found: what an operator confirmed in the flight is the answer
    to a question, also where the same question has another answer now."""

    def __init__(self, logged: Outcome) -> None:
        self._logged = [
            record["answer"].get("target_id")
            for _, record in logged.records["control"]
            if record["request"].get("command") == "target"
        ]
        self._now: list[str | None] = []

    def again(self, asked: ControlRequest) -> ControlRequest:
        """The request as it has to be put this time."""
        command = asked.request.get("command")
        if command == "target":
            return dataclasses.replace(asked, reply=lambda answer: self._now.append(answer.get("target_id")))
        if command == "confirm" and asked.request.get("target_id") in self._logged[: len(self._now)]:
            last = len(self._now) - 1 - self._logged[len(self._now) - 1 :: -1].index(asked.request["target_id"])
            return dataclasses.replace(asked, request={**asked.request, "target_id": self._now[last]})
        return asked
