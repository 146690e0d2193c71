"""What a replay brought, in words for people."""

from __future__ import annotations

from runtime.counted import counted
from runtime.replay.changes import (
    AgainstTruth,
    Comparison,
    Decisions,
    Errors,
    Estimates,
    Fixes,
    Sent,
    Setpoints,
    Spread,
)
from runtime.replay.recording import Recording
from runtime.replay.replay import Replayed


def lead(recording: Recording, replayed: Replayed, comparison: Comparison) -> str:
    """The first line: how much was replayed, and whether anything has changed."""
    seconds = (replayed.end_t_ns - recording.first_t_ns) * 1e-9
    what = f"{seconds:.1f} s and {counted(replayed.frames, 'frame')} replayed"
    if comparison.changed:
        return f"{what}; changed: {', '.join(comparison.changed)}."
    return f"{what}; nothing has changed by more than {comparison.tolerance_m:g} m."


def cautions(recording: Recording, replayed: Replayed) -> list[str]:
    """Why the replay may not be the flight again."""
    said = []
    if replayed.past.note:
        said.append(f"{replayed.past.note}.")
    if replayed.lost_frames:
        said.append(f"the log could not keep {counted(replayed.lost_frames, 'frame')}, which the replay lacks.")
    if recording.lost_records:
        said.append(f"the log lost {counted(recording.lost_records, 'record')}, which the replay lacks.")
    if not replayed.finished:
        said.append("the log does not reach the end of the flight; it is replayed as far as it goes.")
    more = recording.path.with_name(f"{recording.path.stem}-2.mcap")
    if more.exists():
        said.append(f"the flight went on in {more.name}, after records were lost; that is not replayed.")
    return said


def facts(comparison: Comparison, versions: dict[str, tuple[str | None, str | None]]) -> dict[str, str]:
    """What there is to say, by what it is about; of pairs the flight's comes first."""
    found = {"estimates, replay from flight": _estimates(comparison.estimates)}
    if comparison.vision.compared:
        found["by the camera alone, replay from flight"] = _estimates(comparison.vision)
    if comparison.truth is not None:
        found |= _truth(comparison.truth)
    found["fixes"] = _fixes(comparison.fixes)
    found["decisions"] = _decisions(comparison.decisions)
    found["setpoints"] = _setpoints(comparison.setpoints)
    found["keyframes"] = f"{comparison.keyframes[0]}, now {comparison.keyframes[1]}"
    found |= {f"bytes to the {link}": _sent(sent) for link, sent in comparison.sent.items()}
    for name, (then, now) in versions.items():
        found[f"version of {name}"] = f"{then or 'none'}, now {now or 'none'}"
    return found


def _fixes(fixes: Fixes) -> str:
    return (
        f"{fixes.fixed[0]} of {fixes.tried[0]}, now {fixes.fixed[1]} of {fixes.tried[1]}; {fixes.gained} gained, "
        f"{fixes.lost} lost{_apart(fixes.apart_m)}"
    )


def _decisions(decisions: Decisions) -> str:
    then, now = ", ".join(decisions.logged), ", ".join(decisions.replayed)
    if decisions.differ_at_s is None:
        return f"the same: {then or 'none'}"
    return f"{then}; now {now}, from {decisions.differ_at_s:.1f} s on"


def _setpoints(setpoints: Setpoints) -> str:
    (then, now), (sent_then, sent_now) = setpoints.given, setpoints.sent
    return f"{then} of which {sent_then} sent, now {now} and {sent_now}{_apart(setpoints.apart_m)}"


def _sent(sent: Sent) -> str:
    same = "the same" if sent.differ_at_s is None else f"other from {sent.differ_at_s:.1f} s on"
    return f"{sent.bytes[0]}, now {sent.bytes[1]}; {same}"


def _estimates(estimates: Estimates) -> str:
    then, now = estimates.sigma_m
    sigma = "" if then is None or now is None else f"; sigma {then:.2f} m, now {now:.2f} m"
    alone = f"; {estimates.one_sided} in one alone" if estimates.one_sided else ""
    return (
        f"{estimates.compared} compared, states agree in {estimates.states_agree:.0%}{_apart(estimates.apart_m)}"
        f"{sigma}{alone}"
    )


def _apart(spread: Spread | None) -> str:
    return "" if spread is None else f"; apart {_spread(spread)}"


def _spread(spread: Spread) -> str:
    return f"median {spread.median:.2f} m, 95 % within {spread.p95:.2f} m, worst {spread.max:.2f} m"


def _truth(truth: AgainstTruth) -> dict[str, str]:
    found = {}
    for what, (then, now) in (("estimates", truth.flown), ("by the camera alone", truth.vision)):
        for when, errors in (("", then), (", now", now)):
            if errors is not None:
                found[f"{what} from the {truth.source}{when}"] = _errors(errors)
    return found


def _errors(errors: Errors) -> str:
    inside = f"{errors.inside_1sigma:.0%} and {errors.inside_2sigma:.0%} inside the ellipses of 68 and 95 %"
    return f"{_spread(errors.error_m)}; {inside}"
