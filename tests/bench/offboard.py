"""`homing run` flies a real PX4 by its GPS, beside a camera that sees nothing: what opens OFFBOARD, and what ends it.

    python -m tests.bench.offboard --launch build/NAME/bin/px4 --out DIR [--action 5]

Five flights in one, in wind, each judged by the referee on the wire: one to its target and on to the pilot's switch,
and four that are ended on the way, by the operator, by a power cut of the companion, by the ground station and by a
stick. ``--action``: what PX4 does when targets stop (COM_OBL_RC_ACT). Prints what happened as it happens; exit status
0 where nothing was commanded without authority and the place was reached.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from runtime.geodesy import offset
from runtime.values import Frame, GeoPoint
from runtime.vehicle.px4.modes import mode_name
from sim.camera import default_camera
from sim.scenario.setup import camera_section
from sim.serve import LiveCamera
from sim.sitl.daemon_process import DaemonProcess
from sim.sitl.firmware import Stand, Sticks
from sim.sitl.flight import SitlFlight
from sim.sitl.launch import launched
from sim.sitl.pilot import Pilot
from sim.sitl.px4 import Px4
from sim.sitl.setting_up import set_up
from sim.sitl.wires import Wires
from sim.stream import FrameStream

STAND = Stand(GeoPoint(60.399147, 22.393593), 37.0)
HEIGHT_M, AREA_M = 60.0, 400.0
WIND = {"SIH_WIND_N": -4.0, "SIH_WIND_E": 2.0, "MPC_TKO_SPEED": 4.0}
_TAKE_OFF_LIMIT_S, _ARRIVAL_LIMIT_S, _LEAVE_LIMIT_S = 90.0, 80.0, 6.0
_NEAR_M = 3.0


class NoView(LiveCamera):
    """Grey pictures, once a second: nothing is ever recognised in them, nor seen to move."""

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self.period_s = 1.0
        self.view = None

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``."""
        camera, index = default_camera(), 0
        while not stop.is_set():
            grey = np.full((camera.height_px, camera.width_px, 3), 100 + index % 100, dtype=np.uint8)
            self._stream.publish(Frame(grey, time.monotonic_ns(), "grey", index))
            index += 1
            stop.wait(self.period_s)


class Bench:
    """The vehicle, its people and the daemon, and what they do to each other."""

    def __init__(self, flight: SitlFlight, daemon: DaemonProcess) -> None:
        self.flight, self.daemon, self.pilot, self.referee = flight, daemon, flight.station, flight.referee
        self._begun_s = time.monotonic()
        self.arrival_m = math.inf

    def tell(self, what: str) -> None:
        """What happened, with where everybody stands."""
        status = self.flight.ask({"command": "status"})
        said = f"{status.get('state')} {status.get('phase')} {', '.join(status.get('reasons', []))}"
        counts = (f"{len(self.referee.commands)} commands, {self.referee.without_authority} without authority, "
                  f"{self.referee.harmless['idle target']} idle targets")  # fmt: skip
        print(f"[{time.monotonic() - self._begun_s:5.1f} s] {what}: {self.mode}; {said}; {counts}", flush=True)

    @property
    def mode(self) -> str:
        """PX4's."""
        return mode_name(2, self.pilot.mode or 0)

    @property
    def at(self) -> tuple[float, float]:
        """North and east of the stand."""
        return self.pilot.truth.position_ned_m[:2]

    def word(self, north_m: float, east_m: float) -> int:
        """The operator points at a place, confirms and engages; the instant."""
        place = offset(STAND.position, north_m, east_m)
        degrees = {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
        answer = self.flight.ask({"command": "target", **degrees})
        self.flight.ask({"command": "confirm", "target_id": answer.get("target_id")})
        t_ns = self.flight.t_ns
        self.referee.operator_consented(t_ns)
        self.flight.ask({"command": "engage"})
        self.flight.fly(3.0)
        return t_ns

    def under_way(self, north_m: float, east_m: float, seconds: float = 5.0) -> None:
        """Word and switch, and some seconds of flight."""
        t_ns = self.word(north_m, east_m)
        self.referee.operator_engaged(t_ns)
        self.pilot.set_mode("GUIDED")
        self.flight.fly(seconds)
        self.tell("under way")

    def held(self, seconds: float = 2.0) -> None:
        """The pilot's own Hold."""
        self.pilot.set_mode("LOITER")
        self.flight.fly(seconds)

    def left_offboard(self) -> str:
        """Waits until PX4 leaves OFFBOARD: how long that took, and how far it flew."""
        begun_s, at = time.monotonic(), self.at
        while self.mode == "OFFBOARD" and time.monotonic() - begun_s < _LEAVE_LIMIT_S:
            self.flight.fly(0.1)
        left = f"left OFFBOARD after {time.monotonic() - begun_s:.1f} s and {math.dist(at, self.at):.0f} m"
        self.flight.fly(1.5)  # until the companion's own heartbeat has told of it
        return left

    # --- the flights ------------------------------------------------------------------------------------------

    def to_the_target(self) -> None:
        """Without the operator's word PX4 refuses; with it, there and on to the pilot's switch."""
        self.pilot.set_mode("GUIDED")
        self.flight.fly(2.0)
        self.tell("the pilot switches before the operator's word")
        at, t_ns = self.at, self.word(100.0, 60.0)
        self.flight.fly(4.0)
        self.tell(f"READY; it moved {math.dist(at, self.at):.1f} m")
        self.referee.operator_engaged(t_ns)
        self.pilot.set_mode("GUIDED")
        begun_s = time.monotonic()
        while self.flight.ask({"command": "status"}).get("phase") not in ("confirmed", "not_confirmed"):
            self.flight.fly(1.0)
            if time.monotonic() - begun_s > _ARRIVAL_LIMIT_S:
                break
        before = len(self.referee.commands)
        self.flight.fly(5.0)
        self.arrival_m = math.dist(self.at, (100.0, 60.0))
        rate = (len(self.referee.commands) - before) / 5.0
        self.tell(f"{self.arrival_m:.2f} m from the target, held by {rate:.1f} targets a second")
        self.held(3.0)
        self.tell("the pilot takes over")

    def disengaged(self) -> None:
        """The operator ends it; engaged anew while PX4 misses the stream, nothing streams until the pilot switches."""
        self.under_way(-60.0, -40.0)
        self.flight.ask({"command": "disengage"})
        self.tell(f"the operator disengages, it {self.left_offboard()}")
        self.word(-60.0, -40.0)
        self.tell("engaged anew in that failsafe")
        self.held()
        self.word(-60.0, -40.0)
        self.tell("and after the pilot's own Hold")

    def power_cut(self) -> None:
        """The companion is gone from one instant to the next; another one begins."""
        self.under_way(-60.0, -40.0)
        self.daemon.end(signal.SIGKILL)
        self.referee.companion_restarted()
        print(f"the companion is dead, it {self.left_offboard()} for {self.mode}", flush=True)
        self.flight.start_daemon()
        self.flight.fly(5.0)
        self.word(-60.0, -40.0)
        self.tell("another companion, engaged in that failsafe")
        self.held()

    def elsewhere(self) -> None:
        """A ground station's "go there" is a switch to Hold."""
        self.under_way(120.0, -40.0)
        self.pilot.go_to(offset(STAND.position, 0.0, -80.0), HEIGHT_M)
        self.flight.fly(6.0)
        self.tell("the ground station sends it elsewhere")
        self.held(1.0)

    def stick(self) -> None:
        """Half of the roll stick's way."""
        self.under_way(120.0, -40.0)
        self.pilot.sticks = Sticks(roll=0.5)
        self.flight.fly(3.0)
        self.tell("the pilot moves a stick")
        self.pilot.sticks = Sticks()
        self.flight.fly(2.0)


def sections(out: Path, camera: str, vehicle: str) -> dict[str, Any]:
    """The configuration of an operator who lets it fly here."""
    corners = [offset(STAND.position, n * AREA_M, e * AREA_M) for n, e in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return {
        "camera": {"uri": camera, **camera_section(default_camera())},
        "vehicle": {"uri": vehicle},
        "history": {"path": str((out / "history.db").resolve())},
        "record": {"enabled": True, "flight": "grey"},
        "commanding": {
            "enabled": True,
            "polygon": [[corner.latitude_deg, corner.longitude_deg] for corner in corners],
            "floor_height_takeoff_m": 20.0,
            "ceiling_height_takeoff_m": 120.0,
            "max_distance_m": 600.0,
            "battery_reserve_percent": 20.0,
            "waive": list(Px4.waived),
        },
    }


def main() -> int:
    """Fly and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launch", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--action", type=int, default=5)
    options = parser.parse_args()
    firmware, stop = Px4(), threading.Event()
    with ExitStack() as opened:
        lines = opened.enter_context(launched(firmware, options.launch, options.out / "sitl", STAND))
        wires = Wires(*lines, Pilot(firmware))
        opened.callback(wires.close)
        set_up(wires.pilot)
        wires.pilot.reference = STAND
        wires.pilot.set_parameters({**WIND, "COM_OBL_RC_ACT": options.action})
        stream = FrameStream()
        opened.callback(stream.close)
        camera = NoView(stream)
        threading.Thread(target=camera.run, args=(stop,), daemon=True).start()
        opened.callback(stop.set)
        daemon = DaemonProcess(options.out / "run", sections(options.out, stream.url, wires.companion_uri))
        bench = Bench(SitlFlight(wires, camera, daemon, (0.0, 0.0)), daemon)
        if not bench.flight.run(firmware.dialect.take_off(wires.pilot, HEIGHT_M), _TAKE_OFF_LIMIT_S):
            raise SystemExit(f"it did not take off: {wires.pilot.texts[-3:]}")
        bench.flight.start_daemon()
        opened.callback(daemon.end, signal.SIGKILL)
        bench.flight.fly(6.0)
        flights: tuple[Callable[[], None], ...] = (
            bench.to_the_target, bench.disengaged, bench.power_cut, bench.elsewhere, bench.stick,
        )  # fmt: skip
        for flight in flights:
            flight()
        bench.flight.close_daemon()
        print(f"{wires.pilot.firmware.name} {wires.pilot.version}: {len(bench.referee.commands)} commands, "
              f"{bench.referee.without_authority} without authority", flush=True)  # fmt: skip
        return 0 if bench.referee.without_authority == 0 and bench.arrival_m < _NEAR_M else 3


if __name__ == "__main__":
    sys.exit(main())
