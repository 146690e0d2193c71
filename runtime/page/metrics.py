"""The daemon's state for Prometheus, in its text format; every name is explained by its help line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from runtime.computer import ComputerLoad
from runtime.finite import finite
from runtime.guidance.reasons import Reason, State
from runtime.page.board import Board

_NUMBERS: tuple[tuple[str, str, Callable[[dict[str, Any]], Any]], ...] = (
    ("estimate_sigma_metres", "1-sigma an axis of the position that is flown", lambda s: s["estimate"]["sigma_m"]),
    ("estimate_trusted", "whether it may be steered by", lambda s: s["estimate"]["trusted"]),
    ("vision_sigma_metres", "1-sigma an axis by the camera alone", lambda s: s["navigation"]["vision"]["sigma_m"]),
    ("fix_age_seconds", "since the exposure of the last fix", lambda s: (s["fix"] or {}).get("age_s")),
    ("fix_difference_metres", "last fix from the autopilot", lambda s: (s["fix"] or {}).get("difference_m")),
    ("coast_left_seconds", "for how long the camera is believed", lambda s: s["navigation"]["coast_left_s"]),
    ("consent_left_seconds", "for how long a switch starts the flight", lambda s: s["consent_left_s"]),
    ("target_distance_metres", "to the confirmed target", lambda s: s["distance_m"]),
    ("vehicle_connected", "whether the autopilot is heard", lambda s: s["vehicle"]["connected"]),
    ("vehicle_armed", "whether the motors are armed", lambda s: s["vehicle"]["armed"]),
    ("battery_ratio", "what is left of the battery, 0 to 1", lambda s: s["vehicle"]["battery"]),
    ("height_takeoff_metres", "above the take-off point", lambda s: s["vehicle"]["height_takeoff_m"]),
    ("camera_ok", "whether its frames are fit for use", lambda s: s["camera"] == "ok"),
    ("log_degraded", "whether the flight log has lost anything", lambda s: s["log"]["degraded"]),
    ("uptime_seconds", "since the daemon's first event", lambda s: s["uptime_s"]),
)


def exposition(board: Board, load: ComputerLoad) -> bytes:
    """The text that a scrape is answered with."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_State(board, load))
    return generate_latest(registry)


class _State(Collector):
    def __init__(self, board: Board, load: ComputerLoad) -> None:
        self._board, self._load = board, load

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_page()
        snapshot = self._board.snapshot
        if snapshot is None:
            return
        status = finite(snapshot.status)
        for name, text, value_of in _NUMBERS:
            value = value_of(status)
            if value is not None:
                yield GaugeMetricFamily(f"homing_{name}", text, float(value))
        yield _flags("homing_state", "the state of guidance", "state", [one.value for one in State], [status["state"]])
        reasons = [one.value for one in Reason]
        yield _flags("homing_reason", "why it does not command", "reason", reasons, status["reasons"])
        yield from _tallies(status)

    def _of_the_page(self) -> Iterator[Metric]:
        age_s, load = self._board.age_s(), self._load
        if age_s is not None:
            yield GaugeMetricFamily("homing_snapshot_age_seconds", "since the daemon last showed itself", age_s)
        for name, text, value in (
            ("temperature_celsius", "the computer's hottest sensor", load.temperature_c),
            ("disk_free_bytes", "where the flight log is written", None if load.disk is None else load.disk.free_bytes),
            ("resident_bytes", "memory of the daemon", load.resident_bytes),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"homing_{name}", text, float(value))


def _flags(name: str, text: str, label: str, all_of_them: list[str], holding: list[str]) -> Metric:
    """One sample a value, 1 where it holds: so each can be plotted over time."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for one in all_of_them:
        family.add_metric([one], float(one in holding))
    return family


def _tallies(status: dict[str, Any]) -> Iterator[Metric]:
    counted = CounterMetricFamily("homing_events", "what was counted, by name", labels=["name"])
    for name, number in status["counts"].items():
        counted.add_metric([name], float(number))
    yield counted
    took = SummaryMetricFamily("homing_latency_seconds", "how long it took, of the last samples", labels=["stage"])
    for stage, spent in status["latency_ms"].items():
        for quantile in ("p50", "p99"):
            value = spent[quantile] / 1000
            took.add_sample("homing_latency_seconds", {"stage": stage, "quantile": f"0.{quantile[1:]}"}, value)
    yield took
