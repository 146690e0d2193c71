"""How the configuration in force uses the autopilot: which rules hold, and the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.config.config import Config
from runtime.doctor.autopilot import Seen
from runtime.doctor.rates import Needs
from runtime.injection.messages import quality_of
from runtime.values import AidingRoute
from runtime.vehicle.parameters.rules import Figure, Figures, Use


def use_of(config: Config, seen: Seen) -> Use:
    """How this autopilot is used."""
    injection, commanding = config.injection.settings(), config.commanding
    route = injection.route
    if route is AidingRoute.AUTO:
        route = seen.routes[0] if seen.routes else AidingRoute.OFF
    has_rc = "rc" not in commanding.waive
    return Use(
        route, injection.source_set, injection.receiver, commanding.enabled, has_rc, seen.airframe,
        repositions=seen.stack == "px4" and config.vehicle.px4_guided_mode == "hold",
    )  # fmt: skip


def figures_of(config: Config, seen: Seen, delay_ms: float | None) -> Figures:
    """The delay is left out where nobody has measured it."""
    injection = config.injection
    figures = {
        Figure.MAX_SIGMA_M: injection.max_sigma_m,
        Figure.LEAST_QUALITY: float(quality_of(2 * injection.max_sigma_m)),  # what is aligned is known less well
        Figure.SENSOR_ID: float(injection.sensor_id),
        Figure.SYSTEM_ID: float(seen.system_id),
        Figure.CRUISE_M_S: config.guidance.cruise_speed_m_s,
        Figure.CRUISE_CM_S: 100.0 * config.guidance.cruise_speed_m_s,
    }
    return figures if delay_ms is None else {**figures, Figure.DELAY_MS: delay_ms}


def needs_of(config: Config, use: Use) -> Needs:
    """What is asked of the computer's own rates."""
    by_sight = use.route is not AidingRoute.OFF or (use.commanding and config.navigation.source != "autopilot")
    return Needs(use.route, config.injection.max_fix_age_s, config.navigation.coast_s, by_sight)


def measured_delay_ms(status: Mapping[str, Any]) -> float | None:
    """From exposure to sending, as the daemon measured it; None where nothing was fed yet."""
    fed = status.get("latency_ms", {}).get("exposure_to_injection")
    return None if fed is None else float(fed["p50"])
