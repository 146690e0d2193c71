"""A program of its own that does with MAVSDK what a pilot's tablet does: reads again and again, takes over if told.

    python mavsdk_pilot.py tcpout://127.0.0.1:5763 WPNAV_SPEED

Every five seconds it reads that parameter and downloads the mission; ``hold`` on stdin holds the vehicle. One line a
deed.
"""

from __future__ import annotations

import sys
import threading
import time

from mavsdk import ComponentType, Configuration, Mavsdk
from mavsdk.plugins.action import Action
from mavsdk.plugins.mission_raw import MissionRaw
from mavsdk.plugins.param import Param
from mavsdk.plugins.telemetry import Telemetry

TIMEOUT_S = 60.0
EVERY_S = 5.0


def attempt(what: str, deed: object) -> None:
    """Does it, and says what came of it."""
    try:
        print(f"{what}: {deed()}", flush=True)  # type: ignore[operator]
    except Exception as error:  # whatever MAVSDK raises is what a pilot would see
        print(f"{what} FAILED: {error}", flush=True)


def main(url: str, parameter: str) -> None:
    """Until stdin ends."""
    with Mavsdk(Configuration.create_with_component_type(ComponentType.GROUND_STATION)) as mavsdk:
        mavsdk.add_any_connection(url)
        system = mavsdk.first_autopilot(TIMEOUT_S)
        if system is None:
            sys.exit("no autopilot")
        print("connected", flush=True)
        action, missions, parameters, telemetry = Action(system), MissionRaw(system), Param(system), Telemetry(system)
        turn = threading.Lock()

        def listen() -> None:
            for line in sys.stdin:
                if line.strip() == "hold":
                    with turn:
                        attempt("hold", action.hold)
            done.set()

        done = threading.Event()
        threading.Thread(target=listen, daemon=True).start()
        while not done.wait(EVERY_S):
            with turn:
                attempt("parameter", lambda: parameters.get_param_float(parameter))
                attempt("mission items", lambda: len(missions.download_mission()))
                attempt("armed", telemetry.armed)
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
