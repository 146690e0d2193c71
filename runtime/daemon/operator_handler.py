"""What the operator may ask of a running daemon, and what it answers: of targets, consent, status, the autopilot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runtime.control.control import SCHEMA, refusal
from runtime.daemon.autopilot_answer import autopilot_answer
from runtime.daemon.records import seconds
from runtime.daemon.rooms import Rooms
from runtime.daemon.target_handler import PendingTarget, point
from runtime.daemon.workers import Job
from runtime.errors import HomingError, UsageError
from runtime.events import Answer, JobDone, JobKind
from runtime.guidance.reasons import Reason
from runtime.values import Coverage, GeoPoint

_LOG = logging.getLogger(__name__)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetRequest(_Request):
    """An image, or a latitude with a longitude."""

    command: Literal["target"]
    image: Path | None = None
    target_gsd_m: float | None = Field(default=None, gt=0)
    latitude_deg: float | None = None
    longitude_deg: float | None = None


class ConfirmRequest(_Request):
    """``target_id``: the one that was shown; none takes whichever waits."""

    command: Literal["confirm"]
    target_id: str | None = None


class RelocaliseRequest(_Request):
    """Where the operator takes the aircraft to be, and how far off that may be."""

    command: Literal["relocalise"]
    latitude_deg: float = Field(ge=-90, le=90)
    longitude_deg: float = Field(ge=-180, le=180)
    radius_m: float = Field(default=200.0, gt=0, le=10_000)


class PlainRequest(_Request):
    """The ones without arguments."""

    command: Literal["engage", "disengage", "status"]


class AutopilotRequest(_Request):
    """Names of parameters to read: none is set from here."""

    command: Literal["autopilot"]
    parameters: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}$")], ...] = Field(default=(), max_length=200)


Request = Annotated[
    TargetRequest | ConfirmRequest | AutopilotRequest | RelocaliseRequest | PlainRequest,
    Field(discriminator="command"),
]
_REQUEST: TypeAdapter[Any] = TypeAdapter(Request)


class OperatorHandler:
    """Turns each request into one answer; a refusal is an answer with ``error``.

    ``release`` gives the vehicle back; ``status`` tells everything.
    """

    def __init__(
        self, rooms: Rooms, release: Callable[[int, Reason], None], status: Callable[[int], Answer]
    ) -> None:
        self._rooms = rooms
        self._release = release
        self._locating: Callable[[Answer], None] | None = None  # the reply to whoever waits for a target
        self._simple: dict[str, Callable[[int], Answer]] = {
            "engage": self._engage,
            "disengage": self._disengage,
            "status": status,
        }

    def answer(self, t_ns: int, request: dict[str, Any], reply: Callable[[Answer], None]) -> None:
        """Calls ``reply`` once: now, or when an image has been located. One object, ``schema`` first."""
        try:
            self._answer(t_ns, _REQUEST.validate_python(request), lambda answer: reply({"schema": SCHEMA, **answer}))
        except ValidationError as error:
            reply(refusal(f"the request is not understood: {error.errors()[0]['msg']}."))
        except HomingError as error:
            reply(refusal(str(error)))

    def _answer(self, t_ns: int, request: Any, reply: Callable[[Answer], None]) -> None:
        if isinstance(request, TargetRequest):
            self._target(t_ns, request, reply)
        elif isinstance(request, ConfirmRequest):
            reply(self._confirm(request))
        elif isinstance(request, AutopilotRequest):
            vehicle = self._rooms.vehicle
            reply(autopilot_answer(vehicle.state, vehicle.read_parameters(request.parameters)))
        elif isinstance(request, RelocaliseRequest):
            reply(self._relocalise(t_ns, request))
        else:
            reply(self._simple[request.command](t_ns))

    def _target(self, t_ns: int, request: TargetRequest, reply: Callable[[Answer], None]) -> None:
        handler, image, gsd_m = self._rooms.targets, request.image, request.target_gsd_m
        if image is not None:
            if self._locating is not None or self._rooms.workers.busy(JobKind.LOCATE):
                raise UsageError("another target is being located; ask again when that is done.")
            self._rooms.workers.start(Job(JobKind.LOCATE, image, lambda: handler.located(image, gsd_m)), t_ns)
            self._locating = reply
        elif request.latitude_deg is not None and request.longitude_deg is not None:
            reply(self._shown(handler.placed(request.latitude_deg, request.longitude_deg)))
        else:
            raise UsageError("a target is an image, or a latitude and a longitude.")

    def located(self, done: JobDone) -> None:
        """An image has been located, or could not be; the request that asked for it is answered."""
        reply, self._locating = self._locating, None
        if reply is None:  # it has been answered by `close`
            return
        if done.error is None:
            reply(self._shown(done.result))
            return
        expected = isinstance(done.error, HomingError)
        _LOG.error("target: %s", done.error, exc_info=None if expected else done.error)
        said = str(done.error) if expected else "the target could not be located; the daemon's log says why."
        reply({"error": said})

    def close(self) -> None:
        """The daemon ends: whoever waits for a target is told, for the result will not be taken any more."""
        reply, self._locating = self._locating, None
        if reply is not None:
            reply({"error": "the daemon ended before the target was located; start it again, and ask again."})

    def _shown(self, found: PendingTarget) -> Answer:
        self._rooms.targets.pending = found
        if found.place is not None:
            self._rooms.guidance.propose()
        return found.as_answer()

    def _confirm(self, request: ConfirmRequest) -> Answer:
        pending = self._rooms.targets.take(request.target_id)
        assert pending.place is not None  # `take` refuses the others
        self._rooms.guidance.confirm(pending.place, self._covered())
        return {"confirmed": pending.target_id, **pending.as_answer()}

    def _covered(self) -> Coverage | None:
        """What the history covers; a history that cannot be read costs the foresight, and not the flight."""
        try:
            return self._rooms.targets.coverage()
        except HomingError as error:
            _LOG.error("which ground is covered is not known: %s", error)
            return None

    def _engage(self, t_ns: int) -> Answer:
        guidance = self._rooms.guidance
        guidance.engage(t_ns)
        return {
            "engaged": True,
            "waiting_for": "the pilot's transition into the guided mode",
            "consent_left_s": seconds(guidance.consent_left_ns(t_ns)),
        }

    def _relocalise(self, t_ns: int, request: RelocaliseRequest) -> Answer:
        """Nothing is flown by the operator's word on where it is: fixes near there have to find it anew."""
        if self._rooms.guidance.granted:
            raise UsageError("a flight is under way; disengage first.")
        if self._rooms.injection.echoing:
            raise UsageError("the autopilot flies on the camera's position; it is not given up.")
        near = GeoPoint(request.latitude_deg, request.longitude_deg)
        self._rooms.navigation.relocalise(t_ns, near, request.radius_m)
        return {"near": point(near), "radius_m": request.radius_m}

    def _disengage(self, t_ns: int) -> Answer:
        self._release(t_ns, Reason.OPERATOR_DISENGAGED)
        return {"engaged": False}
