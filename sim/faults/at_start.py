"""Faults that a daemon must not start with, or that keep a flight from ever being granted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2

from runtime.bundle import DEFAULT_BUNDLE, MANIFEST, sha256_of
from runtime.config.config import Config
from runtime.daemon.assembly import load_embedder
from runtime.errors import HomingError
from runtime.geodesy import offset
from runtime.history.history import History
from sim.faults.flight import Answer, FaultFlight, Plan, Script
from sim.faults.forked import in_a_copy
from sim.faults.ground import Ground
from sim.faults.in_flight import Watch
from sim.faults.memory import HOME, TARGET_NE_M, view
from sim.faults.row import Fault, Outcome
from sim.faults.workshop import SEED, Workshop

_NOBODY = 65534  # whom a read-only file stops, as it does not stop root
_ANOTHER_NETWORK = Path(__file__).resolve().parents[1] / "pooled.onnx"
_METRES_PER_PIXEL = 0.26


def _refused(start: Callable[[], object]) -> Outcome:
    """It must not start, and say why in one sentence."""
    try:
        start()
    except HomingError as error:
        return Outcome(f"does not start: {type(error).__name__}", said=(str(error),))
    return Outcome("started", failures=("it started all the same",))


def _with_bundle(path: Path) -> Config:
    camera = {"uri": "simulated", "width_px": 320, "height_px": 240, "hfov_deg": 70.0}
    sections = {"camera": camera, "vehicle": {"uri": "simulated"}, "history": {"path": "history.db"}}
    return Config.model_validate({**sections, "bundle": {"path": str(path)}})


def model_missing(workshop: Workshop) -> Outcome:
    """No bundle where the configuration says."""
    return _refused(lambda: load_embedder(_with_bundle(workshop.folder / "no-bundle")))


def model_other(workshop: Workshop) -> Outcome:
    """The shipped bundle with another network in the place of its towers, under its right hash."""
    path = workshop.folder / "other-bundle"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(DEFAULT_BUNDLE, path)
    manifest = (path / MANIFEST).read_text(encoding="utf-8")
    for file in path.glob("*.onnx"):
        manifest = manifest.replace(sha256_of(file), sha256_of(_ANOTHER_NETWORK))
        shutil.copy(_ANOTHER_NETWORK, file)
    (path / MANIFEST).write_text(json.dumps(json.loads(manifest)), encoding="utf-8")
    return _refused(lambda: load_embedder(_with_bundle(path)))


def other_bundle(workshop: Workshop) -> Outcome:
    """A history of towers of another space."""
    plan = workshop.plan("history_other_bundle")
    plan.history.unlink()
    History.create(plan.history, "another space", "another bundle").close()
    return _refused(lambda: FaultFlight(plan))


def read_only(workshop: Workshop) -> Outcome:
    """Recording into a file that nobody may write to."""
    plan = workshop.plan("history_read_only")
    plan = replace(plan, sections={"record": {"enabled": True}})
    plan.history.chmod(0o444)
    plan.folder.chmod(0o555)

    def start() -> Outcome:
        if os.getuid() == 0:
            os.setuid(_NOBODY)
        return _refused(lambda: FaultFlight(plan))

    try:
        return in_a_copy(start)
    finally:
        plan.folder.chmod(0o755)


def empty(workshop: Workshop) -> Outcome:
    """Nothing was ever recorded, there is no GPS, and people go on as if all were well."""
    plan = workshop.plan("history_empty")
    bundle = workshop.embedder.bundle
    plan.history.unlink()
    History.create(plan.history, bundle.embedding_space_id, bundle.name).close()
    target = offset(HOME, *TARGET_NE_M)
    where = {"latitude_deg": target.latitude_deg, "longitude_deg": target.longitude_deg}
    return in_a_copy(lambda: _kept_out(plan, where))


def other_place(workshop: Workshop) -> Outcome:
    """The history of another place is loaded, there is no GPS, and people go on as if all were well."""
    plan = replace(workshop.plan("history_elsewhere"), ground=Ground(SEED + 1))
    target = offset(HOME, *TARGET_NE_M)
    where = {"latitude_deg": target.latitude_deg, "longitude_deg": target.longitude_deg}
    return in_a_copy(lambda: _kept_out(plan, where))


def elsewhere(workshop: Workshop) -> Outcome:
    """A picture of ground that was never flown over."""
    plan = workshop.plan("target_elsewhere")
    image = plan.folder / "elsewhere.png"
    picture = view(Ground(SEED + 1), (0.0, 0.0))
    cv2.imwrite(str(image), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    where = {"image": str(image), "target_gsd_m": _METRES_PER_PIXEL}
    return in_a_copy(lambda: _kept_out(plan, where))


def _kept_out(plan: Plan, where: Mapping[str, object]) -> Outcome:
    """The operator asks, confirms and engages, the pilot grants: nothing may be commanded."""
    flight = FaultFlight(plan)
    answers: list[Answer] = []
    watch = Watch(flight)
    flight.run(_insisting(flight, where, answers))
    refusals = [f"{name}: {one['error']}" for name, one in zip(_ASKED, answers, strict=True) if "error" in one]
    shown = [str(one["reason"]) for one in answers if one.get("reason")]
    did = f"{flight.state.upper()}: {', '.join(one.replace('_', ' ') for one in flight.reasons)}"
    said = (*shown, *refusals, *flight.said)
    failures = ("it believes to know where it is",) if flight.estimate.trusted or flight.fed else ()
    return Outcome(did, watch.targets, watch.targets, said=said, failures=failures)


_ASKED = ("target", "confirm", "engage")


def _insisting(flight: FaultFlight, where: Mapping[str, object], answers: list[Answer]) -> Script:
    yield from flight.seconds(4.0)
    yield from flight.ask("target", answers, **where)
    yield from flight.ask("confirm", answers)
    yield from flight.ask("engage", answers)
    yield from flight.seconds(1.0)
    flight.autopilot.pilot_set_mode("GUIDED")
    yield from flight.seconds(4.0)


FAULTS = (
    Fault("model_missing", "model missing", "no bundle where the configuration says", model_missing),
    Fault("model_other", "model of another architecture", "another network under the right hash", model_other),
    Fault("history_empty", "history empty", "a history without a keyframe, and no GPS", empty),
    Fault("history_elsewhere", "history of another place", "a history of other ground than that below, and no GPS",
          other_place),
    Fault("history_other_bundle", "history of another bundle", "towers of another space made it", other_bundle),
    Fault("history_read_only", "history read-only", "a file that the daemon may not write to, to be recorded into",
          read_only),
    Fault("target_elsewhere", "target of another place", "a picture of ground that was never flown over", elsewhere),
)  # fmt: skip
