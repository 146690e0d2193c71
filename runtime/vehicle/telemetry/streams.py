"""Telemetry streams: requested, acknowledged, and then believed only as far as they are measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.commands import Command
from runtime.vehicle.events import CommandDone, StreamChanged, VehicleEvent
from runtime.vehicle.stack import StreamRequest

_SLOW = 0.5  # share of the wanted rate below which a stream is asked for again; 30 % loss must not trip it
_WINDOW_PERIODS = 12  # at 30 % loss fewer than half of twelve come once in 25 times, of six once in 14
_WINDOW_LEAST_NS = 2_000_000_000
_TOLD_NS, _TOLD_BY = 500_000_000, 3  # a stream that has just begun: so long, and so many messages, tell its rate
_RETRY_FIRST_NS = 2_000_000_000
_RETRY_MOST_NS = 15_000_000_000
_RETRY_DENIED_NS = 300_000_000_000  # of an optional stream: this autopilot does not have it
_CONFIRMED_NS = 30_000_000_000  # a silent conditional stream is asked for again: that ACK may have been another's
_CONFIRMED = 2  # acceptances, after which a conditional stream is silent because there is nothing to say


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """``status``: "waiting" (just asked), "ok", "accepted" (nothing to send now), "slow", "silent" or "denied"."""

    name: str
    wanted_hz: float
    rate_hz: float
    required: bool
    status: str


@dataclass(slots=True)
class _Stream:
    request: StreamRequest
    arrivals: deque[int] = field(default_factory=deque)
    began_ns: int | None = None  # its first message, or the first after a window without any
    since_ns: int | None = None  # when it was first asked for
    ask_ns: int = 0
    retry_ns: int = _RETRY_FIRST_NS
    queued: bool = False
    accepted: bool = False
    acceptances: int = 0
    denied: bool = False
    status: str = "waiting"
    requests: int = 0
    window_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.window_ns = max(_WINDOW_LEAST_NS, int(_WINDOW_PERIODS * 1e9 / self.request.rate_hz))

    def rate_hz(self, t_ns: int) -> float:
        """Over the window; of a stream that began within it, over what has passed since."""
        arrivals, since_ns = self.arrivals, t_ns - self.window_ns
        while arrivals and arrivals[0] < since_ns:
            arrivals.popleft()
        if not arrivals:
            self.began_ns = None
        rate = len(arrivals) * 1e9 / self.window_ns
        if self.began_ns is None or len(arrivals) < _TOLD_BY or not _TOLD_NS <= t_ns - self.began_ns < self.window_ns:
            return rate
        return max(rate, (len(arrivals) - 1) * 1e9 / (t_ns - self.began_ns))


class StreamKeeper:
    """Asks for each stream, measures it, and asks again where it is missing."""

    def __init__(self, submit: Callable[[Command, int], None]) -> None:
        self._submit = submit
        self._streams: dict[int, _Stream] = {}
        self._told: tuple[int, tuple[StreamHealth, ...]] | None = None  # asked for several times of one instant

    def start(self, requests: tuple[StreamRequest, ...]) -> None:
        """(Re)start from nothing: a new connection or a rebooted autopilot."""
        self._told = None
        self._streams = {request.message_id: _Stream(request) for request in requests}

    def seen(self, message_id: int, t_ns: int) -> None:
        """A message arrived."""
        stream = self._streams.get(message_id)
        if stream is not None:
            self._told = None
            stream.arrivals.append(t_ns)
            stream.began_ns = t_ns if stream.began_ns is None else stream.began_ns

    def concluded(self, events: list[VehicleEvent]) -> list[VehicleEvent]:
        """The same events, once it is noted how requests ended: they are nobody else's business."""
        for event in events:
            if isinstance(event, CommandDone) and event.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL:
                refused = not event.accepted and event.result != "NO_ANSWER"
                self.answered(int(event.parameter), event.accepted, refused, event.t_ns)
        return events

    def answered(self, message_id: int, accepted: bool, refused: bool, t_ns: int) -> None:
        """The request's command ended. ``refused``: the autopilot said no, rather than nothing."""
        stream = self._streams.get(message_id)
        if stream is None:
            return
        self._told = None
        stream.queued = False
        stream.denied = refused
        stream.accepted = accepted
        stream.acceptances += accepted
        if accepted and stream.request.conditional:
            stream.ask_ns = t_ns + _CONFIRMED_NS
        elif accepted:
            stream.ask_ns = t_ns + max(stream.retry_ns, stream.window_ns)
        else:
            stream.ask_ns = t_ns + (_retry_denied_ns(stream) if refused else stream.retry_ns)
        stream.retry_ns = min(2 * stream.retry_ns, _RETRY_MOST_NS)

    def granted(self, message_id: int) -> bool:
        """Whether the autopilot said that it has this stream, by its answer or by sending it."""
        stream = self._streams.get(message_id)
        return stream is not None and (stream.accepted or bool(stream.arrivals))

    def tick(self, t_ns: int) -> list[VehicleEvent]:
        """Judge every stream and ask for what is due."""
        self._told = None
        events: list[VehicleEvent] = []
        for stream in self._streams.values():
            before, rate = stream.status, stream.rate_hz(t_ns)
            stream.status = _judge(stream, rate, t_ns)
            if stream.status == "ok":
                stream.retry_ns = _RETRY_FIRST_NS
            elif not stream.queued and t_ns >= stream.ask_ns and not _confirmed(stream):
                self._ask(stream, t_ns)
            if stream.status != before:
                events.append(StreamChanged(t_ns, stream.request.name, stream.status, rate))
        return events

    def _ask(self, stream: _Stream, t_ns: int) -> None:
        stream.queued = True
        stream.requests += 1
        stream.since_ns = stream.since_ns if stream.since_ns is not None else t_ns
        interval_us = 1e6 / stream.request.rate_hz
        parameters = (float(stream.request.message_id), interval_us, 0.0, 0.0)
        self._submit(Command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, parameters), t_ns)

    def health(self, t_ns: int) -> tuple[StreamHealth, ...]:
        """Every stream's measured rate and status."""
        if self._told is not None and self._told[0] == t_ns:
            return self._told[1]
        health = tuple(
            StreamHealth(s.request.name, s.request.rate_hz, s.rate_hz(t_ns), s.request.required, s.status)
            for s in self._streams.values()
        )
        self._told = t_ns, health
        return health


def _confirmed(stream: _Stream) -> bool:
    """Whether it will come by itself once there is something to say. Nobody forgets a stream but in a reboot, and then
    all are asked for anew."""
    return stream.accepted and stream.request.conditional and stream.acceptances >= _CONFIRMED


def _retry_denied_ns(stream: _Stream) -> int:
    return _RETRY_MOST_NS if stream.request.required else _RETRY_DENIED_NS


def _judge(stream: _Stream, rate_hz: float, t_ns: int) -> str:
    if rate_hz >= _SLOW * stream.request.rate_hz:
        return "ok"
    if stream.accepted and stream.request.conditional:
        return "accepted"
    if stream.denied:
        return "denied"
    if stream.since_ns is None or t_ns - stream.since_ns < stream.window_ns:
        return "waiting"
    return "slow" if rate_hz > 0 else "silent"
