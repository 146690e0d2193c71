"""What the operator may ask of a running daemon, and what it answers: target, confirm, engage, disengage, status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runtime.daemon_status import status
from runtime.errors import HomingError, UsageError
from runtime.guidance.reasons import Reason

if TYPE_CHECKING:
    from runtime.daemon import Daemon

SCHEMA = 1


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


class PlainRequest(_Request):
    """The ones without arguments."""

    command: Literal["engage", "disengage", "status"]


Request = Annotated[TargetRequest | ConfirmRequest | PlainRequest, Field(discriminator="command")]
_REQUEST: TypeAdapter[Any] = TypeAdapter(Request)


class OperatorDesk:
    """Turns each request into one answer; a refusal is an answer with ``error``."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._plain: dict[str, Callable[[int], dict[str, Any]]] = {
            "engage": self._engage,
            "disengage": self._disengage,
            "status": lambda t_ns: status(daemon, t_ns),
        }

    def answer(self, t_ns: int, request: dict[str, Any]) -> dict[str, Any]:
        """One object, ``schema`` first."""
        try:
            return {"schema": SCHEMA, **self._answer(t_ns, _REQUEST.validate_python(request))}
        except ValidationError as error:
            return {"schema": SCHEMA, "error": f"the request is not understood: {error.errors()[0]['msg']}."}
        except HomingError as error:
            return {"schema": SCHEMA, "error": str(error)}

    def _answer(self, t_ns: int, request: Any) -> dict[str, Any]:
        if isinstance(request, TargetRequest):
            return self._target(request)
        if isinstance(request, ConfirmRequest):
            return self._confirm(request)
        return self._plain[request.command](t_ns)

    def _target(self, request: TargetRequest) -> dict[str, Any]:
        desk = self._daemon.rooms.targets
        if request.image is not None:
            pending = desk.by_image(request.image, request.target_gsd_m)
        elif request.latitude_deg is not None and request.longitude_deg is not None:
            pending = desk.by_position(request.latitude_deg, request.longitude_deg)
        else:
            raise UsageError("a target is an image, or a latitude and a longitude.")
        if pending.place is not None:
            self._daemon.rooms.guidance.propose()
        return pending.as_answer()

    def _confirm(self, request: ConfirmRequest) -> dict[str, Any]:
        pending = self._daemon.rooms.targets.take(request.target_id)
        assert pending.place is not None  # `take` refuses the others
        self._daemon.rooms.guidance.confirm(pending.place)
        return {"confirmed": pending.target_id, **pending.as_answer()}

    def _engage(self, t_ns: int) -> dict[str, Any]:
        guidance = self._daemon.rooms.guidance
        guidance.engage()
        return {"engaged": True, "waiting_for": "the pilot's transition into the guided mode"}

    def _disengage(self, t_ns: int) -> dict[str, Any]:
        self._daemon.release(t_ns, Reason.OPERATOR_DISENGAGED)
        return {"engaged": False}
