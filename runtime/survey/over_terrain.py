"""Heights above the ground that each photo sees, by an elevation model instead of level ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runtime.errors import TelemetryError
from runtime.heights import is_above_flat_ground
from runtime.survey.survey import Survey, Surveyed
from runtime.terrain import Above, Terrain, height_over
from runtime.values import GeoPoint
from runtime.view import ahead_per_m

_ON_THE_GROUND_M = 30.0  # above take-off: a flight that is seen from below that began under where it was first seen

TerrainOf = Callable[[Sequence[GeoPoint]], Terrain]


def over_terrain(read: Survey, terrain_of: TerrainOf) -> Survey:
    """The survey with the heights that files do not measure taken above the terrain below what each photo sees.

    A height above take-off counts from the ground under the first photo, where that was taken low enough to be over the
    take-off; else the altitude above the sea does, if the model's heights are such too.

    Raises:
        TelemetryError: neither is known of any photo.
    """
    if not read.photos:
        return read
    terrain = terrain_of([photo.position.point for photo in read.photos])
    takeoff = _takeoff(read.photos)
    photos = tuple(_lifted(photo, terrain, takeoff) for photo in read.photos)
    if all(new is old for new, old in zip(photos, read.photos, strict=True)):
        raise TelemetryError(
            "--terrain: the photos say neither a height above a take-off that was seen nor an altitude above the sea "
            f"that the model's {terrain.datum.value} heights can be held against; leave it out, or give --height-agl-m."
        )
    return replace(read, photos=photos)


def _takeoff(photos: Sequence[Surveyed]) -> GeoPoint | None:
    first = min(photos, key=lambda photo: photo.index)
    height = first.pose.height_takeoff_m
    return first.position.point if height is not None and abs(height.value) <= _ON_THE_GROUND_M else None


def _lifted(photo: Surveyed, terrain: Terrain, takeoff: GeoPoint | None) -> Surveyed:
    pose = photo.pose
    if pose.height_agl_m is not None and not is_above_flat_ground(pose.height_agl_m):
        return photo  # measured, or the user's word
    above = None
    if takeoff is not None and pose.height_takeoff_m is not None:
        above = Above.takeoff(terrain, takeoff, pose.height_takeoff_m)
    elif pose.altitude_amsl_m is not None:
        above = Above.sea(terrain, pose.altitude_amsl_m)
    if above is None:
        return photo
    height = height_over(terrain, above, photo.position, ahead_per_m(photo.camera, pose))
    return photo if height is None else replace(photo, pose=replace(pose, height_agl_m=height))
