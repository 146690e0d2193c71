"""The elevation model before a flight: whether it can be read, and whether it reaches all of the operator's polygon."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.config.config import Config
from runtime.doctor.finding import Finding
from runtime.errors import HomingError


def terrain_findings(config: Config) -> Iterator[Finding]:
    """Nothing where [fix] names none."""
    path, area = config.fix.terrain, config.commanding.area
    if path is None:
        return
    try:
        terrain = config.fix.elevation_model([] if area is None else area.corners)
    except HomingError as error:
        yield Finding("elevation model", "wrong", str(error))
        return
    assert terrain is not None
    low_m, high_m = terrain.range_m()
    said = f"{path}: {low_m:.0f} to {high_m:.0f} m {config.fix.terrain_heights}"
    if area is not None and terrain.highest_m([*area.corners, area.corners[0]], 0.0) is None:
        todo = "where it ends no flight to a target is begun: give a model of all of it"
        yield Finding("elevation model", "warning", f"{said}; does not reach all of the operator's polygon", todo)
        return
    yield Finding("elevation model", "ok", said)
