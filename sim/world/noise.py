"""Tiling noise lattices: random textures made once by FFT, then looked up by position."""

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def tile(rng: np.random.Generator, size: int, beta: float, shortest: float = 2.0, longest: float = np.inf) -> Array:
    """Periodic noise, (size, size) float32 with zero mean and unit deviation.

    Amplitude falls as frequency to the power -beta; wavelengths under `shortest` and over
    `longest` texels are left out.
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    amplitude = frequency**-beta * (frequency < 1.0 / shortest) * (frequency >= 1.0 / longest)
    amplitude[0, 0] = 0.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * amplitude
    noise = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return np.asarray(noise / np.float32(noise.std() + 1e-9), np.float32)


def spread(rng: np.random.Generator, side_px: int, cells: int, beta: float = 1.2, longest: float = np.inf) -> Array:
    """Smooth noise stretched over a square raster: `cells` lattice cells a side, (side_px, side_px) float32."""
    lattice = tile(rng, cells, beta, longest=longest)
    return np.asarray(cv2.resize(lattice, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.float32)


def lookup(lattice: Array, a_m: Array, b_m: Array, texel_m: float) -> Array:
    """Bilinear values of a periodic lattice at metric positions; same shape as the positions (2-D)."""
    size = lattice.shape[0]
    column = np.mod(b_m / np.float32(texel_m), np.float32(size)).astype(np.float32)
    row = np.mod(a_m / np.float32(texel_m), np.float32(size)).astype(np.float32)
    return np.asarray(cv2.remap(lattice, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def repeated(lattice: Array, row0: int, rows: int, columns: int) -> Array:
    """A strip of the endlessly repeated lattice: rows [row0, row0 + rows), columns [0, columns)."""
    size = lattice.shape[0]
    row = np.arange(row0, row0 + rows) % size
    return np.asarray(lattice[row][:, np.arange(columns) % size], np.float32)
