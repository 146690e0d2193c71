"""A camera 45 degrees down over hills, through the commands a user types: recorded, fixed, and followed on a map.

    python -m tests.bench.oblique [--table record|blocks|map|track] [--every N] [--pitch-unknown] [--keep DIR]
        [--map HISTORY] [--features DIR] [--fix-every-s S]

`ariel`: 252 frames, one a second, 20 to 120 m up, with DJI's subtitles, which say neither heading nor pitch. `blocks`:
of every three blocks of 10 s above 40 m one is live, the rest recorded; a live frame knows its height above take-off,
its lens and the pitch. `map`: single frames against a satellite map of another date. `track`: all of them, one after
another, through odometry, fixes and the filter. Errors are against the frame's own GPS.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from runtime.geodesy import distance_m
from runtime.history.history import History
from runtime.matching.boresight import Boresights
from runtime.survey.video import SOLVE_MOVED_M
from runtime.values import GeoPoint
from tests.bench.real_photos import DATA

ARIEL = DATA / "flights" / "ariel"
HIGH_M, BLOCK_S, LIVE_OF = 40.0, 10, 3
HFOV_DEG = 71.6  # 24 mm of a 35 mm film's diagonal, at 16 to 9: what the subtitles say
PITCH_DEG = -45.0
_PITCH = ("--camera-pitch-deg", str(PITCH_DEG))
_DEG = 180.0 / np.pi
BETWEEN = "no telemetry at its time"  # of the black frames
_XMP = (
    b"http://ns.adobe.com/xap/1.0/\x00"
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:RelativeAltitude="%+.1f"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True, slots=True)
class Second:
    """One frame of the flight, and where its own telemetry has it."""

    number: int
    image: Path
    place: GeoPoint
    height_m: float


@dataclass(frozen=True)
class Flight:
    """The seconds of `ariel` in their order."""

    folder: Path = ARIEL

    @cached_property
    def seconds(self) -> list[Second]:
        """All of them."""
        lines = (self.folder / "truth.csv").read_text().splitlines()[1:]
        fields = [line.split(",") for line in lines]
        return [
            Second(number, self.folder / "frames" / name, GeoPoint(float(lat), float(lon)), float(up))
            for number, (name, lat, lon, up) in enumerate(fields)
        ]

    @cached_property
    def subtitles(self) -> list[str]:
        """Each second's text, without its number and times."""
        blocks = (self.folder / "one_a_second.SRT").read_text().strip().split("\n\n")
        return ["\n".join(block.splitlines()[2:]) for block in blocks]

    @property
    def live(self) -> list[Second]:
        """Every third block of ten seconds above 40 m."""
        high = [one for one in self.seconds if one.height_m > HIGH_M]
        return [one for k, one in enumerate(high) if k // BLOCK_S % LIVE_OF == LIVE_OF - 1]

    def film(self, chosen: Sequence[Second], name: Path) -> tuple[Path, Path]:
        """A film of some seconds, at their own times, with its subtitles; between them a black frame a second."""
        film, srt, wanted = name.with_suffix(".avi"), name.with_suffix(".SRT"), {one.number for one in chosen}
        first = cv2.imread(str(self.seconds[0].image))
        out = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 1.0, first.shape[1::-1])
        out.set(cv2.VIDEOWRITER_PROP_QUALITY, 97)
        texts = []
        for one, text in zip(self.seconds, self.subtitles, strict=True):
            out.write(cv2.imread(str(one.image)) if one.number in wanted else np.zeros_like(first))
            if one.number in wanted:
                times = f"{_clock(one.number)},000 --> {_clock(one.number)},900"
                texts.append(f"{len(texts) + 1}\n{times}\n{text}\n")
        out.release()
        srt.write_text("\n".join(texts))
        return film, srt


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def homing(*words: str | Path) -> list[dict[str, object]]:
    """The JSON lines of a `homing` command, run as a process; what it says on stderr is passed on."""
    command = [sys.executable, "-m", "runtime.cli.main", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1, 3) or not done.stdout:
        raise SystemExit(f"homing {words[0]} failed ({done.returncode})")
    return [json.loads(line) for line in done.stdout.splitlines()]


def apart(chosen: Sequence[Second]) -> list[Second]:
    """Those that `homing record` looks at where headings are to be solved: each so far from the one before."""
    found = list(chosen[:1])
    for one in chosen:
        if distance_m(found[-1].place, one.place) >= SOLVE_MOVED_M:
            found.append(one)
    return found


def recorded(flight: Flight, chosen: Sequence[Second], folder: Path, pitch: Sequence[str]) -> Path:
    """A history of some seconds; how many of their moments it takes, and why not the others, is printed."""
    film, srt = flight.film(chosen, folder / "film")
    history = folder / "history.db"
    (told,) = homing("record", "--video", film, "--telemetry", srt, "--history", history, *pitch)
    skipped = told["skipped"]
    assert isinstance(skipped, list)
    refused: Counter[str] = Counter()
    for one in skipped:
        frames = re.search(r"\((\d+) frames\)", str(one["image"]))
        refused[str(one["reason"])] += int(frames.group(1)) if frames else 1
    refused.pop(BETWEEN, None)
    moments = apart(chosen)
    print(
        f"record: {len(moments) - refused.total()} of {len(moments)} moments {SOLVE_MOVED_M:.0f} m apart recorded, "
        f"{told['keyframes']} as keyframes, the others show nothing new; refused: {dict(refused)}",
        flush=True,
    )
    return history


def photos(seconds: Sequence[Second], folder: Path) -> list[Path]:
    """Copies that know their height above take-off, as DJI writes it, and nothing else."""
    folder.mkdir()
    copies = []
    for one in seconds:
        raw, packet = one.image.read_bytes(), _XMP % one.height_m
        copy = folder / f"{one.number:04d}.jpg"
        copy.write_bytes(raw[:2] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet + raw[2:])
        copies.append(copy)
    return copies


def fixed(
    name: str, seconds: Sequence[Second], history: Path, folder: Path, beyond_m: float, more: Sequence[str | Path] = ()
) -> str:
    """A row: the share that is answered, the errors, the share beyond a limit, and the seconds that each took;
    ``more`` options of `homing fix`."""
    images = photos(seconds, folder)
    answers = homing("fix", "--history", history, "--hfov-deg", str(HFOV_DEG), *_PITCH, *more, *images)
    errors = []
    for one, answer in zip(seconds, answers, strict=True):
        if answer["decision"] == "fix":
            at = GeoPoint(float(str(answer["latitude_deg"])), float(str(answer["longitude_deg"])))
            errors.append(distance_m(at, one.place))
            print(f"  {one.number:04d} {errors[-1]:6.1f} m  sigma {answer['sigma_m']:5.1f}  {answer['reason']}")
        else:
            print(f"  {one.number:04d} {answer['decision']}: {answer['reason']}")
    took_s = np.median([float(str(answer["latency_ms"])) for answer in answers]) * 1e-3
    return f"{row(name, errors, len(seconds), beyond_m)}  {took_s:.1f} s each"


def row(name: str, errors_m: Sequence[float], asked: int, beyond_m: float) -> str:
    """One line of the table."""
    if not errors_m:
        return f"{name:34s}   0 of {asked}"
    middle, high = np.percentile(errors_m, [50, 95])
    beyond = np.mean(np.array(errors_m) > beyond_m)
    return (
        f"{name:34s} {len(errors_m):3d} of {asked}  median {middle:5.1f}  95 % {high:6.1f}  "
        f"worst {max(errors_m):6.1f} m  {beyond:.0%} beyond {beyond_m:.0f} m"
    )


def boresight(history: Path) -> str:
    """A row: by how much the ground of a flight's views lies off, as views from different sides show it."""
    with History.open(history) as opened:
        (flight,) = opened.flights()
        keyframes = [one.keyframe_id for one in opened.keyframes(crops=False)]
        known = Boresights(opened)
        known.refresh(max(keyframes))
        found = known.of_flight(flight)
        if found is None:
            return f"boresight of {len(keyframes)} keyframes: too few of their overlaps agree"
        pitch, scale, heading, roll = found.errors * [_DEG, 100.0, _DEG, _DEG]
        moved = np.linalg.norm([known.shift_m(one) for one in keyframes], axis=1)
    return (
        f"boresight of {len(keyframes)} keyframes: pitch {pitch:+.1f}, heading {heading:+.1f}, roll {roll:+.1f} deg, "
        f"height {scale:+.1f} %; their ground moved by {np.median(moved):.1f} m, {moved.max():.1f} m at most; "
        f"overlaps then agree to {found.overlap_sigma_m:.1f} m"
    )


def followed(flight: Flight, tiles: Path, folder: Path, fix_every_s: float) -> str:
    """A row: the share of the flight that is TRACKING on the map, and the errors there; each second's state is
    printed."""
    film, srt = flight.film(flight.seconds, folder / "all")
    often = ("--fix-every-s", str(fix_every_s))
    *frames, summary = homing("track", "--video", film, "--telemetry", srt, "--history", tiles, *often, *_PITCH)
    errors = []
    for number, one in enumerate(frames):
        off = [one["error_north_m"], one["error_east_m"]]
        error_m = float("nan") if None in off else float(np.hypot(*(float(str(axis)) for axis in off)))
        print(f"  {number:04d} {one['state']} {error_m:.1f} m  fix {one['fix']}  {one['reason']}")
        if one["state"] == "tracking" and np.isfinite(error_m):
            errors.append(error_m)
    return f"{row('the flight on the map, filtered', errors, len(frames), 40.0)}; {summary['fixes']} fixes"


def tables(flight: Flight, wanted: Sequence[str], folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The rows of the tables that are wanted, one after another; everything is written under ``folder``."""
    high = [one for one in flight.seconds if one.height_m > HIGH_M]
    pitch = () if options.pitch_unknown else _PITCH
    more = () if options.features is None else ("--features", options.features)
    if "record" in wanted:
        (folder / "whole").mkdir()
        yield boresight(recorded(flight, flight.seconds, folder / "whole", pitch))
    if "blocks" in wanted:
        (folder / "rest").mkdir()
        live = {one.number for one in flight.live}
        history = recorded(flight, [s for s in flight.seconds if s.number not in live], folder / "rest", pitch)
        yield fixed("blocks live against the rest", flight.live[:: options.every], history, folder / "live", 30.0, more)
    tiles = options.map or folder / "map.db"
    if options.map is None and ("map" in wanted or "track" in wanted):
        homing("record", "--map", flight.folder / "map.tif", "--history", tiles)
    if "map" in wanted:
        yield fixed("frames on the map, any heading", high[:: 3 * options.every], tiles, folder / "frames", 60.0, more)
    if "track" in wanted:
        yield followed(flight, tiles, folder, options.fix_every_s)


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=["record", "blocks", "map", "track"], action="append", help="default: all")
    parser.add_argument("--every", type=int, default=1, help="of the live frames every N-th alone (default 1)")
    parser.add_argument("--pitch-unknown", action="store_true", help="record without --camera-pitch-deg")
    parser.add_argument("--keep", type=Path, help="a new folder for the histories")
    parser.add_argument("--map", type=Path, help="a history of the map that was made before")
    parser.add_argument("--features", type=Path, help="folder of homing-export --features, for what is fixed")
    parser.add_argument("--fix-every-s", type=float, default=0.5, help="of the flight followed (default 0.5: all)")
    options = parser.parse_args(words)
    if not ARIEL.is_dir():
        raise SystemExit(f"{ARIEL} is absent: there is nothing to measure on.")
    wanted = options.table or ["record", "blocks", "map", "track"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for line in tables(Flight(), wanted, folder, options):
            print(line, flush=True)


if __name__ == "__main__":
    main()
