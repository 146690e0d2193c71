"""The whole pipeline in real time: `homing run` as a process, and a camera of 25 frames a second from a recording.

    python -m tests.bench.pipeline [--keyframes N] [--seconds S] [--fps F]

A flight of the built-in autopilot is rendered beforehand, frame by frame; then the same flight is flown again in real
time, with those frames as its camera's stream, so that nothing is rendered while it is measured. The history holds the
way as another camera saw it, and foreign keyframes. Prints how many frames became an estimate, how long each took from
its arrival, what was dropped, and what share of the machine the process had.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import psutil
import tomlkit
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.control.client import ask
from runtime.geodesy import offset
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.server import AutopilotServer
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.scenario.setup import camera_section, make_autopilot
from sim.stream import JPEG_QUALITY, FrameStream
from sim.world.world import World
from tests.bench.daemon import SEED, prepare, when
from tests.sim.served import process

_HEIGHT_M, _WAY_NE_M = 100.0, (280.0, 200.0)
_DELAY_S = 0.06  # from exposure to arrival
_WARMING_S = 8.0  # from the first frame until streams, clock and filter have settled


@dataclass(frozen=True, slots=True)
class Exposure:
    """A frame as its camera sends it: exposed at ``t_ns`` of the autopilot's time."""

    t_ns: int
    jpeg: bytes


def under_way(world: World) -> Autopilot:
    """An autopilot in flight that was told where to go: it flies the same way whenever it is made."""
    autopilot = make_autopilot(world, (0.0, 0.0), SEED, ready_at_boot=True)
    autopilot.start_in_flight((-_WAY_NE_M[0] / 2, -_WAY_NE_M[1] / 2, -_HEIGHT_M), "GUIDED")
    there = offset(world.origin, _WAY_NE_M[0] / 2, _WAY_NE_M[1] / 2)
    pack = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
    target = mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, 0b110111111000, round(there.latitude_deg * 1e7),
        round(there.longitude_deg * 1e7), _HEIGHT_M, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    autopilot.receive(target.pack(pack), 1)
    return autopilot


def recorded(world: World, renderer: Renderer, fps: float, seconds: float) -> list[Exposure]:
    """The frames of the flight, in simulated time."""
    autopilot, camera = under_way(world), SimulatedCamera(renderer, default_camera(), SEED)
    frames = []
    for index in range(round(fps * seconds)):
        autopilot.advance(round(index * 1e9 / fps))
        truth = autopilot.truth
        image = camera.capture(
            truth.position_ned_m, truth.ned_from_body, truth.velocity_ned_m_s, truth.body_rates_rad_s
        )
        encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        frames.append(Exposure(truth.t_ns, encoded.tobytes()))
    return frames


def play(frames: Sequence[Exposure], server: AutopilotServer, stream: FrameStream, stop: threading.Event) -> None:
    """Publishes each frame at the instant at which the autopilot flies where it was exposed, and a delay later."""
    for index, frame in enumerate(frames):
        while not stop.is_set():
            left_s = (frame.t_ns - server.truth.t_ns) * 1e-9 + _DELAY_S
            if left_s <= 0:
                stream.publish_jpeg(frame.jpeg, time.monotonic_ns() + round(left_s * 1e9), index)
                break
            time.sleep(min(left_s, 0.02))


def configuration(folder: Path, vehicle: str, camera: str) -> Path:
    """The configuration of a daemon that watches: it records nothing and commands nothing."""
    camera_keys = {**camera_section(default_camera()), "delay_s": _DELAY_S}
    sections: dict[str, Any] = {
        "camera": {"uri": camera, **camera_keys},
        "vehicle": {"uri": vehicle},
        "history": {"path": "history.db"},
        "control": {"socket": "control.sock"},
        "log": {"directory": "logs"},
    }
    path = folder / "homing.toml"
    path.write_text(tomlkit.dumps(sections), encoding="utf-8")
    return path


def measure(config: Path, seconds: float) -> None:
    """Start the daemon beside the flight, and print what became of the frames."""
    control = config.with_name("control.sock")
    with process("runtime.cli.main", "run", "--config", str(config), log=config.with_name("run.log")) as child:
        when(lambda: ask(control, {"command": "status"})["counts"].get("odometry", 0), 60)
        time.sleep(_WARMING_S)
        daemon = psutil.Process(child.pid)
        before, spent, begun_s = ask(control, {"command": "status"}), daemon.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, spent_after = ask(control, {"command": "status"}), daemon.cpu_times()
        lasted_s = time.monotonic() - begun_s
    busy_s = (spent_after.user + spent_after.system) - (spent.user + spent.system)

    def counted(name: str) -> int:
        return int(after["counts"].get(name, 0)) - int(before["counts"].get(name, 0))

    lost = ("frames_dropped_queue", "frames_dropped_odometry")
    poses = sum(after["frames_dropped_pose"].values()) - sum(before["frames_dropped_pose"].values())
    print(f"{counted('frames') / lasted_s:.1f} frames a second, {counted('odometry') / lasted_s:.1f} with a motion, "
          f"{counted('fix') / lasted_s:.1f} fixes, {counted('no_fix') / lasted_s:.1f} refused")  # fmt: skip
    print(f"lost: {', '.join(f'{name} {counted(name)}' for name in lost)}, without a pose {poses}")
    print(f"the camera's word: {after['navigation']['vision']['state']}, "
          f"to {after['navigation']['vision']['sigma_m']:.1f} m")  # fmt: skip
    print(f"{busy_s / lasted_s:.2f} of {os.cpu_count()} cores")
    print(f"{'stage':24s} {'p50 ms':>8s} {'p99 ms':>8s} {'count':>6s}")
    for stage, took in sorted(after["latency_ms"].items()):
        print(f"{stage:24s} {took['p50']:8.1f} {took['p99']:8.1f} {took['count']:6d}")


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=float, default=25.0)
    options = parser.parse_args(words)
    world = World.generate(SEED)
    renderer = Renderer(world.scene("flight"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        start = offset(world.origin, -_WAY_NE_M[0] / 2, -_WAY_NE_M[1] / 2)
        prepare(folder / "history.db", start, options.keyframes, _WAY_NE_M, _HEIGHT_M)
        frames = recorded(world, renderer, options.fps, options.seconds + _WARMING_S + 12.0)
        stream, stop = FrameStream(), threading.Event()
        with AutopilotServer(under_way(world), ("tcpin:127.0.0.1:0",)) as server:
            player = threading.Thread(target=play, args=(frames, server, stream, stop))
            player.start()
            host, port = server.addresses[0]
            measure(configuration(folder, f"tcp:{host}:{port}", stream.url), options.seconds)
            stop.set()
            player.join()
        stream.close()


if __name__ == "__main__":
    main()
