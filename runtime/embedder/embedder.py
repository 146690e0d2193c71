"""Crops to embeddings, through whatever engine runs the bundle's towers; nothing is flown that fails parity."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.engine import Engine, OnnxEngine
from runtime.errors import BundleError
from runtime.values import Embeddings, ViewKind

log = logging.getLogger(__name__)

MIN_COSINE = 0.9995  # an engine below it computes something else than what was trained


class Embedder:
    """The towers of a bundle, ready to run; towers that share a file share an engine.

    ``engines`` makes an engine of a model file: the seam for other backends.

    Raises:
        BundleError: a tower has no such precision, cannot be run here, or fails parity.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 2,
        precision: str = "fp32",
        engines: Callable[[Path], Engine] | None = None,
    ) -> None:
        make = engines if engines is not None else partial(OnnxEngine, threads=threads)
        self.bundle, self.precision = bundle, precision
        files = {view: bundle.model(view, precision).file for view in bundle.views}
        by_file = {file: make(bundle.path / file) for file in dict.fromkeys(files.values())}
        self._engines = {view: by_file[file] for view, file in files.items()}
        self.parity = self._check_parity(files)
        log.info("%s %s runs on %s, parity %.6f", bundle.name, precision, self.backend, self.parity)

    @property
    def backend(self) -> str:
        """What runs the towers, for people."""
        return ", ".join(dict.fromkeys(engine.name for engine in self._engines.values()))

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        """(N, S, S, 3) uint8 RGB north-up crops to ``vectors`` (N, D) float32 unit rows and ``maps``.

        Raises:
            ValueError: the crops have another shape or type.
            BundleError: the bundle has no tower for this view.
        """
        size = self.bundle.input_size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise ValueError(f"crops must be uint8 (N, {size}, {size}, 3), not {crops.dtype} {crops.shape}.")
        if view not in self._engines:
            raise BundleError(f"the bundle {self.bundle.name} has no {view.value} tower.")
        if len(crops) == 0:
            return self._nothing()
        engine = self._engines[view]
        chunks = [engine.run(crops[i : i + engine.batch]) for i in range(0, len(crops), engine.batch)]
        vectors = np.concatenate([vectors for vectors, _ in chunks])
        maps = [chunk for _, chunk in chunks if chunk is not None]
        return Embeddings(vectors, np.concatenate(maps) if maps else None)

    def _nothing(self) -> Embeddings:
        shape = self.bundle.map_shape
        maps = np.zeros((0, *shape), np.float32) if shape is not None else None
        return Embeddings(np.zeros((0, self.bundle.embedding_dim), np.float32), maps)

    def _check_parity(self, files: dict[ViewKind, str]) -> float:
        """The worst cosine with the reference over the parity images, each file once."""
        images = parity_images(self.bundle)
        worst = 1.0
        for view in {file: view for view, file in files.items()}.values():
            reference = parity_embeddings(self.bundle, view)
            vectors = self.embed(view, images).vectors
            cosine = float(np.min(np.sum(vectors * reference, axis=1)))
            if not cosine >= MIN_COSINE:  # also when it is not a number
                raise BundleError(
                    f"the {self.precision} {view.value} tower of {self.bundle.name} on {self._engines[view].name} "
                    f"differs from its reference: cosine {cosine:.4f}, must be at least {MIN_COSINE}."
                )
            worst = min(worst, cosine)
        return worst


def parity_images(bundle: Bundle) -> NDArray[np.uint8]:
    """(N, S, S, 3) uint8 RGB: the images every engine is compared on.

    Raises:
        BundleError: one of them is not an image of the towers' input size.
    """
    size = bundle.input_size_px
    images = []
    for named in bundle.manifest.parity.images:
        image = cv2.imread(str(bundle.path / named.file), cv2.IMREAD_COLOR)
        if image is None or image.shape != (size, size, 3):
            raise BundleError(f"the parity image {bundle.path / named.file} is not an image of {size}x{size} pixels.")
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return np.stack(images).astype(np.uint8)


def parity_embeddings(bundle: Bundle, view: ViewKind) -> NDArray[np.float32]:
    """(N, D) float32: what the reference made of the parity images.

    Raises:
        BundleError: there is none for this view, or it has another shape.
    """
    named = bundle.manifest.parity.embeddings.get(view)
    if named is None:
        raise BundleError(f"the bundle {bundle.name} has no parity embeddings for its {view.value} tower.")
    try:
        reference: NDArray[np.float32] = np.load(bundle.path / named.file, allow_pickle=False)
    except ValueError as error:
        raise BundleError(f"{bundle.path / named.file} is not an array of embeddings.") from error
    if reference.shape != (len(bundle.manifest.parity.images), bundle.embedding_dim):
        raise BundleError(f"{bundle.path / named.file} has the shape {reference.shape}, not one row per image.")
    return reference
