"""Colours by material and season, in display RGB 0..1, and how far they vary from object to object."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.world.layout import Material

RGB = tuple[float, float, float]
Array = npt.NDArray[np.float32]


def _year(spring: RGB, summer: RGB, dry: RGB, autumn: RGB) -> dict[str, RGB]:
    return {"spring": spring, "summer": summer, "dry": dry, "autumn": autumn}


def _always(colour: RGB) -> dict[str, RGB]:
    return _year(colour, colour, colour, colour)


GROUND: dict[Material, dict[str, RGB]] = {
    Material.MEADOW: _year((0.40, 0.42, 0.25), (0.36, 0.43, 0.23), (0.56, 0.51, 0.34), (0.46, 0.42, 0.26)),
    Material.LAWN: _year((0.35, 0.44, 0.23), (0.32, 0.44, 0.21), (0.49, 0.49, 0.30), (0.38, 0.40, 0.21)),
    Material.FOREST_FLOOR: _year((0.34, 0.31, 0.22), (0.22, 0.26, 0.14), (0.33, 0.30, 0.19), (0.38, 0.29, 0.17)),
    Material.ASPHALT: _always((0.44, 0.44, 0.44)),
    Material.GRAVEL: _always((0.60, 0.56, 0.48)),
    Material.PAVING: _always((0.58, 0.56, 0.53)),
    Material.WATER: _always((0.15, 0.20, 0.21)),
    Material.REED: _year((0.50, 0.46, 0.32), (0.34, 0.39, 0.21), (0.52, 0.48, 0.31), (0.50, 0.43, 0.27)),
    Material.PAINT: _always((0.80, 0.80, 0.78)),
    Material.SAND: _always((0.68, 0.62, 0.50)),
    Material.BED: _year((0.36, 0.29, 0.22), (0.30, 0.34, 0.19), (0.42, 0.36, 0.25), (0.37, 0.29, 0.20)),
    Material.RAIL_BALLAST: _always((0.45, 0.42, 0.39)),
}  # fmt: skip

# What a field may look like, and how likely in each season.
CROPS: tuple[RGB, ...] = (
    (0.30, 0.42, 0.19),  # young green
    (0.40, 0.48, 0.24),  # green
    (0.68, 0.60, 0.38),  # ripe
    (0.62, 0.56, 0.41),  # stubble
    (0.43, 0.34, 0.25),  # ploughed
    (0.50, 0.41, 0.31),  # harrowed, dry
)
CROP_SHARE: dict[str, tuple[float, ...]] = {
    "spring": (0.40, 0.10, 0.00, 0.05, 0.25, 0.20),
    "summer": (0.25, 0.40, 0.20, 0.05, 0.05, 0.05),
    "dry": (0.05, 0.15, 0.45, 0.25, 0.02, 0.08),
    "autumn": (0.20, 0.05, 0.05, 0.35, 0.25, 0.10),
}

ROOFS: tuple[RGB, ...] = (
    (0.55, 0.30, 0.22), (0.62, 0.38, 0.28), (0.48, 0.27, 0.22),  # clay and concrete tiles
    (0.30, 0.30, 0.31), (0.22, 0.22, 0.24), (0.38, 0.36, 0.34),  # bitumen, dark metal
    (0.46, 0.38, 0.30), (0.36, 0.29, 0.24),  # brown
    (0.62, 0.63, 0.64), (0.50, 0.54, 0.58), (0.34, 0.42, 0.38),  # metal, eternit, green sheet
)  # fmt: skip
FLAT_ROOFS: tuple[RGB, ...] = (
    (0.62, 0.61, 0.59),
    (0.40, 0.40, 0.40),
    (0.75, 0.75, 0.74),
    (0.30, 0.29, 0.29),
    (0.52, 0.48, 0.43),
)
WALLS: tuple[RGB, ...] = (
    (0.72, 0.69, 0.62),
    (0.62, 0.35, 0.28),
    (0.80, 0.79, 0.76),
    (0.55, 0.50, 0.42),
    (0.72, 0.62, 0.40),
)
CARS: tuple[RGB, ...] = (
    (0.85, 0.85, 0.85),
    (0.12, 0.12, 0.13),
    (0.45, 0.46, 0.48),
    (0.68, 0.69, 0.70),
    (0.50, 0.10, 0.10),
    (0.12, 0.20, 0.42),
    (0.30, 0.33, 0.30),
)

BROADLEAF: dict[str, RGB] = _year((0.38, 0.41, 0.21), (0.22, 0.32, 0.13), (0.31, 0.35, 0.17), (0.46, 0.37, 0.16))
CONIFER: dict[str, RGB] = _year((0.17, 0.23, 0.13), (0.16, 0.23, 0.12), (0.18, 0.23, 0.14), (0.15, 0.21, 0.12))


@dataclass(frozen=True, slots=True)
class Texture:
    """Amplitudes of the ground's noise, as shares of its brightness, from coarse to fine."""

    patches: float  # tens of metres
    mottle: float  # metres
    grain: float  # decimetres
    spread: float  # from object to object


TEXTURES: dict[Material, Texture] = {
    Material.MEADOW: Texture(0.17, 0.10, 0.07, 0.14),
    Material.LAWN: Texture(0.15, 0.07, 0.05, 0.15),
    Material.CROP: Texture(0.17, 0.06, 0.05, 0.14),
    Material.FOREST_FLOOR: Texture(0.14, 0.22, 0.16, 0.12),
    Material.ASPHALT: Texture(0.12, 0.04, 0.03, 0.17),
    Material.GRAVEL: Texture(0.12, 0.08, 0.05, 0.16),
    Material.PAVING: Texture(0.12, 0.05, 0.05, 0.18),
    Material.WATER: Texture(0.12, 0.04, 0.02, 0.25),
    Material.REED: Texture(0.15, 0.16, 0.12, 0.14),
    Material.PAINT: Texture(0.10, 0.12, 0.06, 0.05),
    Material.SAND: Texture(0.13, 0.07, 0.05, 0.14),
    Material.BED: Texture(0.14, 0.25, 0.16, 0.16),
    Material.RAIL_BALLAST: Texture(0.06, 0.10, 0.10, 0.06),
}


def jittered(rng: np.random.Generator, base: RGB, brightness: float, hue: float = 0.03) -> Array:
    """(3,) float32: the colour scaled by a lognormal of that deviation, each channel a little on its own."""
    colour = np.array(base) * np.exp(rng.normal(0, brightness)) * np.exp(rng.normal(0, hue, 3))
    return np.asarray(np.clip(colour, 0.02, 0.98), np.float32)


def in_season(colours: dict[str, RGB], season: str) -> RGB:
    """A season's colour drawn towards the year's mean; how far is set by what `sim.hardness` measures."""
    mean = np.mean(list(colours.values()), axis=0)
    r, g, b = 0.75 * mean + 0.25 * np.array(colours[season])
    return float(r), float(g), float(b)
