"""A program of its own that flies a vehicle with MAVSDK: arm, take off, go to a place, land; one line per step.

    python mavsdk_client.py tcpout://127.0.0.1:5760 LATITUDE LONGITUDE ALTITUDE_AMSL_M
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

from mavsdk import ComponentType, Configuration, Mavsdk
from mavsdk.plugins.action import Action
from mavsdk.plugins.telemetry import Telemetry

TIMEOUT_S = 30.0
METRES_PER_DEGREE = 111_319.0
TAKEOFF_M = 15.0


def wait(what: str, done: Callable[[], bool]) -> None:
    """Polls until done, then says so; ends the program where it takes too long."""
    until = time.monotonic() + TIMEOUT_S
    while not done():
        if time.monotonic() > until:
            sys.exit(f"gave up waiting: {what}")
        time.sleep(0.05)
    print(what, flush=True)


def main(url: str, latitude: float, longitude: float, altitude_m: float) -> None:
    """Flies."""
    with Mavsdk(Configuration.create_with_component_type(ComponentType.GROUND_STATION)) as mavsdk:
        mavsdk.add_any_connection(url)
        system = mavsdk.first_autopilot(TIMEOUT_S)
        if system is None:
            sys.exit("no autopilot")
        print("connected", flush=True)
        action, telemetry = Action(system), Telemetry(system)
        # ArduCopter streams nothing unasked.
        telemetry.set_rate_health(5.0)
        telemetry.set_rate_position(10.0)
        wait("ready", lambda: telemetry.health().is_global_position_ok and telemetry.health().is_home_position_ok)
        action.arm()
        wait("armed", telemetry.armed)
        action.set_takeoff_altitude(TAKEOFF_M)
        action.takeoff()
        wait("up", lambda: telemetry.position().relative_altitude_m > TAKEOFF_M - 0.5)
        action.goto_location(latitude, longitude, altitude_m, math.nan)

        def away_m() -> float:
            here = telemetry.position()
            north = (here.latitude_deg - latitude) * METRES_PER_DEGREE
            east = (here.longitude_deg - longitude) * METRES_PER_DEGREE * math.cos(math.radians(latitude))
            return math.hypot(north, east)

        wait("there", lambda: away_m() < 1.0)
        time.sleep(1.0)
        action.land()
        wait("landed", lambda: not telemetry.armed())


if __name__ == "__main__":
    main(sys.argv[1], *(float(argument) for argument in sys.argv[2:5]))
