"""Launches every run of a scenario with the one real autopilot that is there, and our camera over its true pose."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from runtime.flightlog.keeper import KeptFrames
from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint
from sim.camera import SimulatedCamera, default_camera
from sim.scenario.aircraft import NotFlownError
from sim.scenario.conditions import Conditions
from sim.scenario.crew import take_off, until
from sim.scenario.dialect import Script
from sim.scenario.plan import Point
from sim.scenario.setup import Site, daemon_sections, route_of
from sim.serve import LiveCamera
from sim.sitl.daemon_process import DaemonProcess
from sim.sitl.flight import SitlFlight, SitlRun
from sim.sitl.pilot import Pilot
from sim.sitl.wires import Wires
from sim.stream import FrameStream

_THERE_LIMIT_S = 300.0
_THERE_M, _STILL_M_S = 2.0, 0.5
_LOST_LIMIT_S = 60.0


class Airfield:
    """A `Launcher`. Every daemon may feed the autopilot, for one that expects to be fed arms only while it hears
    something."""

    def __init__(self, wires: Wires, camera: LiveCamera, stream: FrameStream, frames: KeptFrames) -> None:
        self._wires, self._camera, self._stream, self._frames = wires, camera, stream, frames
        self._conditions = Conditions()

    def meeting(self, conditions: Conditions) -> Airfield:
        """The same under other conditions."""
        other = copy.copy(self)
        other._conditions = conditions
        return other

    @property
    def repeats(self) -> None:
        """No flight in real time repeats another."""
        return None

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> SitlRun:
        """See `sim.scenario.aircraft.Launcher`.

        Raises:
            NotFlownError: the vehicle does not get there; the message has its last words.
        """
        met, pilot = self._conditions, self._wires.pilot
        self._camera.look_through(SimulatedCamera(site.renderer_for(met), met.camera, site.seed, met.faults))
        fed = replace(met, receiver=True, fed=True)  # set up for a GPS with the camera behind it
        sections = daemon_sections(site, record, self._stream.url, self._wires.companion_uri, fed)
        sections["log"] = {"frames": self._frames}
        sections["vehicle"] |= pilot.firmware.guided_by
        sections["commanding"]["waive"] = list(pilot.firmware.waived)
        sections["guidance"]["route"] = route_of(met)
        daemon = DaemonProcess(site.out / name, sections)
        flight = SitlFlight(self._wires, self._camera, daemon, site.plan.home)
        pilot.lose_gps(False)
        pilot.fly_by_gps()
        pilot.set_parameters(pilot.firmware.weather(met, site.seed_of(name)))
        if airborne is not None:
            if not pilot.armed:
                self._take_off(site, f"{name}-take-off", sections, met.height_m)
            self._run(flight, fly_to(pilot, offset(site.world.origin, *airborne), met))
        flight.start_daemon()
        return SitlRun(flight, daemon, site.out / "logs" / f"{name}.mcap")


    def _take_off(self, site: Site, name: str, sections: dict[str, Any], height_m: float) -> None:
        """The pilot's, with a daemon of its own: an autopilot that expects to be fed arms only while it is."""
        daemon = DaemonProcess(site.out / name, sections)
        flight = SitlFlight(self._wires, self._camera, daemon, site.plan.home)
        flight.start_daemon()
        try:
            self._run(flight, take_off(flight.station, height_m))
        finally:
            flight.close_daemon()

    def _run(self, flight: SitlFlight, script: Script) -> None:
        if not flight.run(script, _THERE_LIMIT_S):
            said = flight.station.texts[-3:]
            raise NotFlownError(f"the pilot did not get to where the flight begins: {said}")


@contextmanager
def airfield(wires: Wires, site: Site, frames: KeptFrames = "pictures") -> Iterator[Airfield]:
    """With the camera running in a thread of its own."""
    stream, stop = FrameStream(), threading.Event()
    camera = SimulatedCamera(site.renderer, default_camera(), site.seed)
    live = LiveCamera(camera, wires.pilot, stream, site.plan.home)
    thread = threading.Thread(target=live.run, args=(stop,), name="camera", daemon=True)
    thread.start()
    try:
        yield Airfield(wires, live, stream, frames)
    finally:
        stop.set()
        thread.join()
        stream.close()


def fly_to(pilot: Pilot, place: GeoPoint, met: Conditions) -> Script:
    """The pilot's own flight between two runs; no daemon is there to see it. Without a receiver GPS is cut in the end,
    in a mode that needs no position, and the autopilot is left until it has none."""
    reference = pilot.reference
    assert reference is not None

    def there() -> bool:
        truth = pilot.truth
        here = offset(reference.position, *truth.position_ned_m[:2])
        high_enough = abs(-truth.position_ned_m[2] - met.height_m) < 2 * _THERE_M
        return high_enough and distance_m(here, place) < _THERE_M and math.hypot(*truth.velocity_ned_m_s) < _STILL_M_S

    while not there():
        yield from pilot.dialect.fly_to(pilot, place, met.height_m)
        flown_in = pilot.mode
        yield from until(lambda: there() or pilot.mode != flown_in)  # noqa: B023 - both end before it changes
    mode = "LOITER" if met.receiver else "ALT_HOLD"
    pilot.set_mode(mode)
    yield from until(lambda: pilot.is_in(mode))
    if not met.receiver:
        pilot.lose_gps(True)
        yield from until(lambda: not pilot.has_position)
