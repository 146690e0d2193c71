"""What a recording left out, told: for people a line a reason with an example and what to do, for programs each one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.cli.output import emit, say
from runtime.counted import counted
from runtime.plain import PLAIN
from runtime.reasons import Reason, with_examples
from runtime.survey.survey import Skipped

_ADVICE = {  # by what a reason begins with
    "no GPS tag": "give the flight's log with --telemetry, or write positions into them (exiftool -geotag)",
    "carries no time": "name them by their UTC, as 20180805T010044.480Z, or write positions into them",
    "the log has no position": "--time-offset-s says by how much their clock was off, if it was",
    "no height above ground": "give --height-agl-m",
    "no heading": "give --heading-deg",
    "not an image": "convert them to JPEG, PNG or TIFF",
    "truncated": "copy them again from the card",
    PLAIN: "a lens cap, a sensor that was blinded, or nothing but sky",
    "shows only": "--height-agl-m and --hfov-deg say better where these are wrong",
}


def tell(history: Path, kept: int, skipped: Sequence[Skipped], as_json: bool) -> None:
    """How many keyframes were recorded, and what was left out."""
    if as_json:
        rows = [{"image": one.image, "reason": one.reason} for one in skipped]
        emit({"history": str(history), "keyframes": kept, "skipped": rows})
        return
    say(f"{history}: {counted(kept, 'keyframe')} recorded, {counted(len(skipped), 'image')} skipped.")
    for reason in with_examples([(one.image, one.reason) for one in skipped]):
        say(f"  {_line(reason)}")


def _line(reason: Reason) -> str:
    who = reason.example if reason.count == 1 else f"{reason.count} images ({reason.example} for one)"
    advice = next((advice for start, advice in _ADVICE.items() if reason.sentence.startswith(start)), "")
    return f"{who}: {reason.sentence}{f'; {advice}' if advice else ''}"
