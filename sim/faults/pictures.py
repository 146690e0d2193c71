"""What may become of a camera's frames on their way: each a `Spoil`, made anew for every flight from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from runtime.values import ImageRGB
from sim.faults.rig import Shot, Spoil

MS = 1_000_000
SECOND = 1_000_000_000
Changed = Callable[[ImageRGB], ImageRGB]


def every_picture(changed: Changed) -> Spoil:
    """Each frame's picture is changed."""
    return lambda shot: (replace(shot, frame=replace(shot.frame, image=changed(shot.frame.image))),)


def frozen() -> Spoil:
    """The driver hands over the same buffer again and again, with fresh stamps."""
    kept: list[ImageRGB] = []

    def again(image: ImageRGB) -> ImageRGB:
        kept.append(image)
        return kept[0]

    return every_picture(again)


def level(grey: float, seed: int = 7) -> Spoil:
    """Nothing but a grey level and the sensor's noise."""
    rng = np.random.default_rng(seed)
    return every_picture(lambda image: np.asarray(np.clip(rng.normal(grey, 1.5, image.shape), 0.0, 255.0), np.uint8))


def turned_over() -> Spoil:
    """The picture stands on its head."""
    return every_picture(lambda image: np.ascontiguousarray(image[::-1, ::-1]))


def resized(share: float) -> Spoil:
    """The same field of view with fewer pixels."""
    return every_picture(lambda image: np.asarray(cv2.resize(image, None, fx=share, fy=share), np.uint8))


def cropped() -> Spoil:
    """A sensor mode of another shape: a quarter of the height is cut off."""
    return every_picture(lambda image: np.ascontiguousarray(image[len(image) // 8 : -len(image) // 8]))


def stamped(stamp: Callable[[int], int]) -> Spoil:
    """Each frame's stamp is another."""
    return lambda shot: (replace(shot, frame=replace(shot.frame, t_ns=stamp(shot.frame.t_ns))),)


def backwards() -> Spoil:
    """The stamps run backwards from the first one on."""
    first: list[int] = []

    def mirrored(t_ns: int) -> int:
        first.append(t_ns)
        return 2 * first[0] - t_ns

    return stamped(mirrored)


def late(most_ns: int, seed: int = 7) -> Spoil:
    """Each frame comes up to so much later, and is stamped when it comes."""
    rng = np.random.default_rng(seed)

    def delayed(shot: Shot) -> Sequence[Shot]:
        by_ns = int(rng.integers(0, most_ns))
        return (Shot(replace(shot.frame, t_ns=shot.frame.t_ns + by_ns), shot.arrives_ns + by_ns),)

    return delayed


def lost(share: float, seed: int = 7) -> Spoil:
    """Such a share of the frames never comes."""
    rng = np.random.default_rng(seed)
    return lambda shot: () if rng.random() < share else (shot,)


def twice() -> Spoil:
    """Each frame comes again 30 ms later, with a stamp of its own."""

    def repeated(shot: Shot) -> Sequence[Shot]:
        again = replace(shot.frame, t_ns=shot.frame.t_ns + 30 * MS)
        return shot, Shot(again, shot.arrives_ns + 30 * MS)

    return repeated


def torn(seed: int = 7) -> Spoil:
    """Of every second picture the lower part is garbage, as a packet lost from a JPEG or H.264 stream leaves it."""
    rng = np.random.default_rng(seed)

    def half(image: ImageRGB) -> ImageRGB:
        if rng.random() < 0.5:
            return image
        damaged: ImageRGB = image.copy()
        from_row = int(rng.integers(len(image) // 4, len(image)))
        blocks = rng.integers(0, 255, (1 + len(image) // 8, 1 + image.shape[1] // 8, 3), dtype=np.uint8)
        damaged[from_row:] = np.kron(blocks, np.ones((8, 8, 1), np.uint8))[from_row : len(image), : image.shape[1]]
        return damaged

    return every_picture(half)


def dirty(seed: int = 7, drops: int = 14) -> Spoil:
    """Drops and dust on the lens: soft dark spots that stay where they are, over a fifth of the picture."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform((0.05, 0.05, 0.03), (0.95, 0.95, 0.1), (drops, 3)).tolist()  # across, down, radius

    def smeared(image: ImageRGB) -> ImageRGB:
        height, width = image.shape[:2]
        clear = np.ones((height, width), np.float32)
        for x, y, radius in spots:
            cv2.circle(clear, (round(x * width), round(y * height)), round(radius * width), 0.25, -1)
        share = np.asarray(cv2.GaussianBlur(clear, (0, 0), 3.0), np.float32)[..., None]
        soft = np.asarray(cv2.GaussianBlur(image, (0, 0), 5.0), np.float32)
        return np.asarray(share * image + (1.0 - share) * 0.6 * soft, np.uint8)

    return every_picture(smeared)


def propeller(seed: int = 7) -> Spoil:
    """Two blades sweep through a corner of the picture, each time elsewhere."""
    rng = np.random.default_rng(seed)

    def swept(image: ImageRGB) -> ImageRGB:
        height, width = image.shape[:2]
        seen: ImageRGB = image.copy()
        hub, angle = np.array([-0.05 * width, 0.15 * height]), rng.uniform(0.0, np.pi)
        for blade in (angle, angle + np.pi):
            along = np.array([np.cos(blade), np.sin(blade)])
            across = np.array([-along[1], along[0]]) * 0.035 * width
            tip = hub + along * 0.75 * width
            corners = np.array([hub - across, hub + across, tip + across, tip - across])
            cv2.fillConvexPoly(seen, corners.astype(np.int32), (28, 28, 30))
        return seen

    return every_picture(swept)
