"""A logged flight held against the truth: the figures of it, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.counted import counted
from runtime.debrief.commands import refused_s
from runtime.debrief.flown import Flown, Logged
from runtime.debrief.load import Counts, Delays, counts_of, delays_of
from runtime.debrief.sightings import Accuracy, Sights, accuracy_of, sightings_of, spread
from runtime.debrief.story import moments_of
from runtime.debrief.truth import RECEIVER, Truth, alarms_ns
from runtime.geodesy import distance_m
from runtime.guidance.reasons import State
from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class Judged:
    """``sights``: the camera's word; ``accuracy`` of it, ``flown_accuracy`` of the position that was flown, and
    ``fix_errors_m`` of the fixes alone, all against the ``truth``."""

    flown: Flown
    truth: Truth | None
    sights: Sights
    accuracy: Accuracy
    flown_accuracy: Accuracy
    fix_errors_m: list[float]
    delays: Delays
    counts: Counts

    @classmethod
    def of(cls, flown: Flown, truth: Truth | None, name: str = "") -> Judged:
        """Judges a flight."""
        vision, estimates = (sightings_of(flown.records.get(of, []), truth) for of in ("vision", "estimate"))
        sights = Sights(name, vision, flown.wire.received, moments_of(flown), flown.first_t_ns, truth)
        errors = _fix_errors_m(flown.records.get("fix", []), truth)
        return cls(flown, truth, sights, accuracy_of(vision), accuracy_of(estimates), errors,
                   delays_of(flown), counts_of(flown))  # fmt: skip

    @property
    def sent(self) -> int:
        """Position targets that were sent."""
        return sum(record["sent"] for _, record in self.flown.records.get("setpoint", []))

    @property
    def withheld(self) -> int:
        """Position targets that were not."""
        return len(self.flown.records.get("setpoint", [])) - self.sent

    @property
    def engaged_s(self) -> float:
        """How long guidance commanded."""
        decisions = self.flown.records.get("guidance", [])
        pairs = zip(decisions, decisions[1:], strict=False)
        return sum((b - a) * 1e-9 for (a, record), (b, _) in pairs if record["state"] == State.ENGAGED.value)

    def lead(self) -> str:
        """The first lines of the page."""
        began = self.flown.began
        when = "" if began is None else f"{began:%Y-%m-%d %H:%M:%S} UTC, "
        end = "" if self.flown.whole else " The log was cut off before its end: what it holds is shown."
        lost = f" {counted(self.flown.lost, 'record')} of it are lost." if self.flown.lost else ""
        return (
            f"{when}{_duration(self.flown.duration_s)}, {counted(self.counts.frames, 'frame')}. {self._against()}"
            f"{end}{lost}"
        )

    def _against(self) -> str:
        if self.truth is None:
            return "Nothing in the log or beside it says where the aircraft really was, so no errors are given."
        doubt = ", as long as the camera did not contradict it" if self.truth.source.startswith(RECEIVER) else ""
        return f"Errors are from the {self.truth.source}{doubt}."

    def facts(self) -> dict[str, str]:
        """Figures by what they are of."""
        found = {
            "camera's word while tracking, error": _error(self.accuracy.position_error_m),
            "position that was flown, error": _error(self.flown_accuracy.position_error_m),
            "fixes": f"{self.counts.fixes} of {counted(self.counts.tried, 'look')}, error "
            f"{_error(spread(self.fix_errors_m))}",
            "tracking": _percent(self._tracking()),
            "truth inside the ellipse of 68 % and of 95 %": f"{_percent(self.accuracy.inside_1sigma)} and "
            f"{_percent(self.accuracy.inside_2sigma)}",
            "wrong and sure of itself": _percent(self.accuracy.confidently_wrong_share),
        }
        if self.truth is None or not self.sights.sightings:
            found = {name: value for name, value in found.items() if name in ("tracking",)}
            found["fixes"] = f"{self.counts.fixes} of {counted(self.counts.tried, 'look')}"
        return {**found, **self._flight(), **self._computer()}

    def _flight(self) -> dict[str, str]:
        alarms = alarms_ns(self.flown.records.get("navigation", []))
        way_m = sum(distance_m(a, b) for a, b in _pairs(self.track()))
        found = {
            "way flown": f"{way_m:.0f} m",
            "position targets": f"{self.sent} sent, {self.withheld} withheld",
            "engaged": f"{_duration(self.engaged_s)}" if self.engaged_s else "never",
            "GPS doubted": "never" if not alarms else f"after {self.flown.seconds(alarms[0]):.1f} s"
            + (f" and {len(alarms) - 1} more times" if len(alarms) > 1 else ""),
        }
        for name, (count, first_ns, last_ns) in self.flown.wire.fed.items():
            span = f"{self.flown.seconds(first_ns):.1f} to {self.flown.seconds(last_ns):.1f} s"
            found[f"fed to the autopilot: {name}"] = f"{count}, from {span}"
        return found

    def _computer(self) -> dict[str, str]:
        counts, failed = self.counts, self.counts.failed_jobs
        figures = self.delays.figures_ms()
        found = {
            "frames": f"{counts.frames}, {counts.dropped} more dropped, {counts.without_pose} without a pose, "
            f"{counts.followed} followed",
            "keyframes recorded": str(counts.keyframes),
        }
        for what in ("exposure to motion", "exposure to fix", "between two decisions"):
            if what in figures:
                found[what] = "median {median:.0f} ms, 99 % within {p99:.0f} ms, longest {max:.0f} ms".format(
                    **{name: value or 0.0 for name, value in figures[what].items()}
                )
        return found | ({"jobs that failed": str(failed)} if failed else {})

    def track(self) -> list[GeoPoint]:
        """Where it flew, by the truth, else by the autopilot's own word at each frame."""
        if self.truth is not None:
            return list(self.truth.points[:: max(1, len(self.truth.points) // 2000)])
        said = [record["position"] for _, record in self.flown.records.get("pose", []) if record["position"]]
        return [GeoPoint(one["latitude_deg"], one["longitude_deg"]) for one in said]

    def _tracking(self) -> float | None:
        states = [one.state == "tracking" for one in self.sights.sightings]
        return sum(states) / len(states) if states else None

    def as_json(self) -> dict[str, Any]:
        """The figures for programs."""
        flown, began = self.flown, self.flown.began
        reasons = refused_s(flown.records.get("guidance", []))
        return {
            "log": str(flown.path),
            "complete": flown.whole,
            "lost_records": flown.lost,
            "began": None if began is None else began.isoformat(),
            "duration_s": round(flown.duration_s, 3),
            "truth": None if self.truth is None else self.truth.source,
            "frames": self.counts.frames,
            "frames_dropped": self.counts.dropped,
            "fixes": self.counts.fixes,
            "fixes_tried": self.counts.tried,
            "keyframes": self.counts.keyframes,
            "position_error_m": self.accuracy.position_error_m,
            "flown_error_m": self.flown_accuracy.position_error_m,
            "fix_error_m": spread(self.fix_errors_m),
            "tracking_share": self._tracking(),
            "inside_1sigma": self.accuracy.inside_1sigma,
            "inside_2sigma": self.accuracy.inside_2sigma,
            "confidently_wrong_share": self.accuracy.confidently_wrong_share,
            "delays_ms": self.delays.figures_ms(),
            "setpoints": {"sent": self.sent, "withheld": self.withheld},
            "engaged_s": round(self.engaged_s, 3),
            "gps_alarms_s": [round(flown.seconds(t_ns), 3) for t_ns in alarms_ns(flown.records.get("navigation", []))],
            "refused_s": {reason: round(total, 3) for reason, total in reasons.items()},
            "versions": None if flown.start is None else flown.start.versions,
        }


def _fix_errors_m(fixes: list[Logged], truth: Truth | None) -> list[float]:
    found = []
    for _, record in fixes:
        there = None if truth is None else truth.at(int(record["exposed_t_ns"]))
        if there is not None and record["aircraft"] is not None:
            aircraft = GeoPoint(record["aircraft"]["latitude_deg"], record["aircraft"]["longitude_deg"])
            found.append(distance_m(there, aircraft))
    return found


def _pairs(points: list[GeoPoint]) -> zip[tuple[GeoPoint, GeoPoint]]:
    return zip(points, points[1:], strict=False)


def _error(figures: dict[str, float | None]) -> str:
    known = {name: value for name, value in figures.items() if value is not None}
    if not known:
        return "nothing to judge"
    return "median {median:.2f} m, p95 {p95:.2f} m, p99 {p99:.2f} m, worst {max:.2f} m".format(**known)


def _percent(share: float | None) -> str:
    return "nothing to judge" if share is None else f"{100 * share:.1f} %"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
