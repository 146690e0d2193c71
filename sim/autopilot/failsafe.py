"""EKF, GCS and battery failsafes: when the vehicle stops obeying and does the safe thing."""

from __future__ import annotations

from sim.autopilot.flight import Flight
from sim.autopilot.modes import NEEDS_POSITION, Mode
from sim.autopilot.vehicle import CRITICAL, WARNING, Vehicle

EKF_CONFIRM_S = 1.0  # ten checks at 10 Hz, from the flags' fall to the failsafe
LAND_PAUSE_S = 4.0  # LAND_WITH_DELAY_MS: the pilot may still take over


class Failsafes:
    """Each failsafe by name, with whether it is in force."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self.ekf = self.gcs = self.battery = False
        self._ekf_bad_s = self._battery_low_s = 0.0
        self._gcs_seen_s: float | None = None

    @property
    def active(self) -> bool:
        """Whether HEARTBEAT says CRITICAL."""
        return self.ekf or self.gcs or self.battery

    def heard_gcs(self, system_id: int, t_s: float) -> None:
        """A heartbeat came; only the ground station's own counts, a companion's never."""
        if system_id == int(self._flight.vehicle.parameters["MAV_GCS_SYSID"]):
            self._gcs_seen_s = t_s

    def step(self, dt: float) -> None:
        """Checks all three."""
        vehicle = self._flight.vehicle
        self._check_ekf(dt, vehicle)
        self._check_gcs(vehicle)
        if not self.battery:
            self._check_battery(dt, vehicle)

    def _check_ekf(self, dt: float, vehicle: Vehicle) -> None:
        # Only an EKF that had a position can lose it; at boot the prearm check stands guard instead.
        lost = vehicle.armed and not vehicle.estimator.position_ok
        self._ekf_bad_s = self._ekf_bad_s + dt if lost else 0.0
        if self.ekf and not lost:
            self.ekf = False
            vehicle.say(CRITICAL, "EKF Failsafe Cleared")
        if self.ekf or self._ekf_bad_s < EKF_CONFIRM_S:
            return
        flight = self._flight
        if flight.mode not in NEEDS_POSITION and flight.mode is not Mode.LAND:
            return
        self.ekf = True
        vehicle.say(CRITICAL, "EKF variance")
        if vehicle.parameters["FS_EKF_ACTION"] != 0 and flight.mode is not Mode.LAND:
            flight.set_mode(Mode.LAND, LAND_PAUSE_S)
            vehicle.say(CRITICAL, "EKF Failsafe: changed to LAND Mode")

    def _check_gcs(self, vehicle: Vehicle) -> None:
        enabled, seen = vehicle.parameters["FS_GCS_ENABLE"], self._gcs_seen_s
        silent = seen is not None and vehicle.t_s - seen >= vehicle.parameters["FS_GCS_TIMEOUT"]
        if self.gcs and not (enabled and silent):
            self.gcs = False
            vehicle.say(WARNING, "GCS Failsafe Cleared")
        elif enabled and silent and not self.gcs:
            self.gcs = True
            vehicle.say(WARNING, "GCS Failsafe")
            if vehicle.armed and not vehicle.landed:
                self._escape(Mode.LAND if enabled == 5 else Mode.RTL)

    def _check_battery(self, dt: float, vehicle: Vehicle) -> None:
        battery, parameters = vehicle.battery, vehicle.parameters
        left_mah = battery.capacity_mah * battery.remaining
        low = 0 < battery.voltage_v < parameters["BATT_LOW_VOLT"] or left_mah < parameters["BATT_LOW_MAH"]
        self._battery_low_s = self._battery_low_s + dt if low and vehicle.armed else 0.0
        if not self._battery_low_s or self._battery_low_s < parameters["BATT_LOW_TIMER"]:
            return
        self.battery = True
        vehicle.say(CRITICAL, f"Battery 1 is low {battery.voltage_v:.2f}V used {battery.used_mah:.0f} mAh")
        action = int(parameters["BATT_FS_LOW_ACT"])
        if action and not vehicle.landed:
            self._escape(Mode.RTL if action == 2 else Mode.LAND)

    def _escape(self, mode: Mode) -> None:
        if not self._flight.set_mode(mode):
            self._flight.set_mode(Mode.LAND)
