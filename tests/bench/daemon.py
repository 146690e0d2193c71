"""The daemon as it flies: `homing run` as a process against a served drone; start, memory and latencies by stage.

    python -m tests.bench.daemon [--keyframes N] [--seconds S] [--fps F]

The served drone hovers 100 m up, its camera gives 640x480 frames, the history holds N keyframes: the way to the target
as an earlier flight saw it, and foreign ones.
The operator's target is set as soon as the daemon answers; the pilot switches to GUIDED once it is READY. Rendering
the camera's frames takes its share of the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from runtime.bundle import Bundle
from runtime.control.client import ask
from runtime.embedder.embedder import Embedder
from runtime.errors import ControlError
from runtime.geodesy import north_east_m, offset
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, GeoPoint, Measured, Pose, Position, PositionSource
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.world.world import World
from tests.bench.fix_latency import foreign
from tests.sim.served import GUIDED, LOITER, Pilot, free_port, process

SEED = 100_021
_SIDE_M = 90.0  # of a foreign keyframe
_HEIGHT_M, _TARGET_NE_M, _FLOWN = 100.0, (150.0, 120.0), 12


def prepare(
    path: Path,
    start: GeoPoint,
    count: int,
    way_ne_m: tuple[float, float] = _TARGET_NE_M,
    height_m: float = _HEIGHT_M,
) -> None:
    """A history of the way from ``start`` to the target and of foreign keyframes about the place."""
    bundle, world = Bundle.load(), World.generate(SEED)
    embedder = Embedder(bundle, threads=2)
    camera = SimulatedCamera(Renderer(world.scene("flight")), default_camera(), SEED)
    begin = np.array(north_east_m(world.origin, start))
    with History.create(path, bundle.embedding_space_id, bundle.name) as history:
        recorder = Recorder(history, embedder, default_camera(), "earlier")
        for number, share in enumerate(np.linspace(-0.1, 1.1, _FLOWN)):
            north, east = begin + share * np.array(way_ne_m)
            level = ned_from_euler(0.0, 0.0, 0.0)
            pose = Pose(
                t_ns=number * 10**9,
                height_agl_m=Measured(height_m, 2.0, "simulated"),
                attitude=Attitude(level, 0.05, "simulated"),
            )
            image = camera.capture((float(north), float(east), -height_m), level, (0.0, 0.0, 0.0))
            at = Position.circular(offset(world.origin, float(north), float(east)), 1.0, PositionSource.AUTOPILOT)
            recorder.add(Frame(np.asarray(image), pose.t_ns, "earlier", number), pose, at)
        foreign(history, embedder, start, count - len(history), _SIDE_M)


def when(condition: Callable[[], Any], seconds: float) -> Any:
    """The first true answer; an error of a daemon that is not there yet counts as none."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if answer := condition():
                return answer
        except ControlError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"the daemon did not get that far within {seconds:g} s.")


def measure(config: Path, pilot: Pilot, seconds: float) -> None:
    """Start the daemon, fly with it, and print what it took."""
    control = config.with_name("control.sock")
    target = offset(pilot.position(), *_TARGET_NE_M)
    begun_s = time.monotonic()
    with process("runtime.cli.main", "run", "--config", str(config), log=config.with_name("run.log")) as child:
        when(lambda: ask(control, {"command": "status"}), 60)
        answers_s = time.monotonic() - begun_s
        when(lambda: ask(control, {"command": "status"})["vehicle"]["connected"], 60)
        place = {"latitude_deg": target.latitude_deg, "longitude_deg": target.longitude_deg}
        ask(control, {"command": "target", **place})
        ask(control, {"command": "confirm"})
        ask(control, {"command": "engage"})
        when(lambda: ask(control, {"command": "status"})["state"] == "ready", 120)
        ready_s = time.monotonic() - begun_s
        pilot.switch(GUIDED)
        resident_mb = 0.0
        for _ in range(round(seconds)):
            time.sleep(1.0)
            resident_mb = max(resident_mb, psutil.Process(child.pid).memory_info().rss / 2**20)
        status = ask(control, {"command": "status"})
        pilot.switch(LOITER)
    print(f"answers its control socket after {answers_s:.1f} s, READY with a confirmed target after {ready_s:.1f} s")
    print(f"at most {resident_mb:.0f} MB resident; state {status['state']}, load {os.getloadavg()[0]:.1f}")
    print(f"{'stage':24s} {'p50 ms':>8s} {'p99 ms':>8s} {'count':>6s}")
    for stage, spent in sorted(status["latency_ms"].items()):
        print(f"{stage:24s} {spent['p50']:8.1f} {spent['p99']:8.1f} {spent['count']:6d}")
    print(json.dumps(status["counts"]))


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--fps", type=float, default=4.0)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch:
        out, station = Path(scratch), free_port(socket.SOCK_DGRAM)
        serve = (
            "sim", "serve", "--seed", str(SEED), "--out", scratch, "--airborne-m", f"{_HEIGHT_M:g}", "--fps",
            str(options.fps), "--mavlink", "tcpin:127.0.0.1:0", "--station", f"udpout:127.0.0.1:{station}", "--json",
        )  # fmt: skip
        with process(*serve, log=out / "serve.log") as server:
            assert server.stdout is not None
            config = Path(json.loads(server.stdout.readline())["config"])
            pilot = Pilot(station)
            prepare(config.with_name("history.db"), pilot.position(), options.keyframes)
            measure(config, pilot, options.seconds)
            pilot.close()


if __name__ == "__main__":
    main()
