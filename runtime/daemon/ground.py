"""What the daemon does for people on the ground: the operator's words by radio, and figures once a second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from runtime.computer import ComputerLoad
from runtime.daemon.operator_handler import OperatorHandler
from runtime.daemon.records import control_record
from runtime.daemon.rooms import Rooms
from runtime.events import Answer
from runtime.guidance.reasons import State
from runtime.mavlink.dialect import mavlink
from runtime.values import Estimate, Fix
from runtime.vehicle.events import OperatorCommand
from runtime.vehicle.ground.figures import NAN, NavigationFigures

_WARNING, _NOTICE = 4, 5  # MAV_SEVERITY
_SAID = {"engage": "engaged", "disengage": "disengaged", "relocalise": "looks for its place anew"}


class Ground:
    """``interval_ns`` between two reports of figures; 0: none are sent. ``load``: how loaded the computer is."""

    def __init__(
        self,
        rooms: Rooms,
        operator: OperatorHandler,
        counts: Counter[str],
        interval_ns: int = 0,
        load: Callable[[], ComputerLoad | None] = lambda: None,
    ) -> None:
        self._rooms = rooms
        self._operator = operator
        self._counts = counts
        self._interval_ns = interval_ns
        self._load = load
        self._due_ns = 0

    def heard(self, asked: OperatorCommand) -> None:
        """The operator's word by radio is his word at the terminal: the same rules, the same answers, the same log."""
        request: dict[str, Any] = {"command": asked.word}
        if asked.near is not None:
            place = {"latitude_deg": asked.near.latitude_deg, "longitude_deg": asked.near.longitude_deg}
            request |= {**place, "radius_m": asked.radius_m}
        answers: list[Answer] = []
        self._operator.answer(asked.t_ns, request, answers.append)
        answer = answers[0]  # none of these words waits for a worker
        self._rooms.journal.write(asked.t_ns, control_record(request, answer))
        self._counts["operator_by_radio"] += 1
        self._rooms.vehicle.answer_operator(asked, self._result(answer))
        refused = answer.get("error")
        said = f"Homing: {refused or _SAID[asked.word]}"
        self._rooms.vehicle.statustext(said, _NOTICE if refused is None else _WARNING, asked.t_ns)

    def _result(self, answer: Answer) -> int:
        """DENIED where asking again is of no use, TEMPORARILY_REJECTED where something has to come first."""
        if "error" not in answer:
            return int(mavlink.MAV_RESULT_ACCEPTED)
        never = self._rooms.guidance.last.state is State.DISABLED
        return int(mavlink.MAV_RESULT_DENIED if never else mavlink.MAV_RESULT_TEMPORARILY_REJECTED)

    def tick(self, t_ns: int, up_ns: int, estimate: Estimate, fix: Fix | None) -> None:
        """Sends the figures when they are due; ``fix``: the newest that was accepted, ``up_ns``: since our start."""
        if not self._interval_ns or t_ns < self._due_ns:
            return
        self._due_ns = t_ns + self._interval_ns
        pending = self._rooms.targets.pending
        confirmed = self._rooms.guidance.target is not None and pending is not None
        probability = pending.answer.probability if confirmed and pending is not None else None
        figures = NavigationFigures(
            sigma_m=estimate.sigma_m if math.isfinite(estimate.sigma_m) else NAN,
            fix_age_s=NAN if fix is None else (t_ns - fix.t_ns) * 1e-9,
            probability=NAN if probability is None else probability,
            coast_left_s=NAN if estimate.coast_left_s is None else estimate.coast_left_s,
        )
        self._rooms.vehicle.report(figures, self._load(), up_ns // 1_000_000)
