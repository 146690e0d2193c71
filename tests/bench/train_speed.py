"""Pictures a second in training, against a plain loop: ``python -m tests.bench.train_speed DATA [--batch N] ...``.

The same towers, loss, optimizer, precision and batches, in one process, taking turns. The plain loop reads a batch,
embeds both views under torch's autocast, takes one backward pass and one step; homing-train does the same with all that
it adds: reading ahead, faster depthwise gradients, the gradient cache's seam, clipping, the mean of the weights. What a
run does once (opening and closing its files) is in neither. The last line is what making batches alone takes of the
processor; with ``--changes device`` on a GPU that is next to nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runtime.errors import HomingError
from train.fit import _trainer
from train.loop.config import TrainConfig
from train.loop.trainer import Trainer
from train.losses.embedded import Embedded
from train.precision import BF16, FP16


def _config(a: argparse.Namespace, out: Path) -> TrainConfig:
    return TrainConfig.model_validate({
        "data": {"train": [a.data], "size_px": a.size_px, "changes": a.changes},
        "towers": {"backbone": {"name": a.backbone, "stage": a.stage, "weights": a.weights}},
        "loss": [{"name": "info_nce"}, {"name": "dense_correspondence", "weight": 0.2}],
        "run": {"out": out, "steps": 10_000, "batch": a.batch, "precision": a.precision, "backbone_factor": 0.1,
                "threads": a.threads, "checkpoint_every": 10_000, "evaluate_every": 10_000},
    })  # fmt: skip


def plain(trainer: Trainer, steps: int) -> float:
    """Seconds a step of a loop that anyone would write."""
    begun = time.monotonic()
    for _ in range(steps):
        batch = trainer._read(trainer._choose(trainer.step), trainer.step)
        sides = trainer.sides(batch)
        trainer.optimizer.zero_grad(set_to_none=True)
        with _autocast(trainer):
            query, gallery = (trainer.towers(view, crops) for view, crops in
                              ((sides.query, sides.query_crops), (sides.gallery, sides.gallery_crops)))  # fmt: skip
        shifts = sides.shifts * query[1].shape[-1]
        places = sides.places
        value = trainer.loss(Embedded(query[0].float(), gallery[0].float(), sides.relation, places, places,
                                      query[1].float(), gallery[1].float(), shifts))  # fmt: skip
        value.backward()
        trainer.optimizer.step()
        trainer.step += 1
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.monotonic() - begun) / steps


def _autocast(trainer: Trainer) -> AbstractContextManager[Any]:
    kind = {BF16: torch.bfloat16, FP16: torch.float16}.get(trainer.run.precision)
    return nullcontext() if kind is None else torch.autocast(trainer.device.type, kind)


def ours(trainer: Trainer, steps: int) -> float:
    """Seconds a step of homing-train, between the ends of its first and its last; it goes on from what it saved."""
    ends: list[float] = []
    trainer.train(lambda *_: ends.append(time.monotonic()), trainer.step + steps + 1)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def reading(trainer: Trainer, batches: int) -> float:
    """Pictures that are read and changed in a second of the processor's time, once all are in memory."""
    places = [trainer._choose(step) for step in range(batches + 1)]
    trainer._read(places[0], 0)
    begun = time.process_time()
    for step in range(1, batches + 1):
        trainer._read(places[step], step)
    return 2 * trainer.run.batch * batches / (time.process_time() - begun)


def main() -> None:
    """Take turns and print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--stage", type=int, default=10)
    parser.add_argument("--weights", default="wheel")
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--changes", default="reader", choices=["reader", "device"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--turns", type=int, default=5)
    a = parser.parse_args()
    rates: dict[str, list[float]] = {"plain loop": [], "homing-train": []}
    with tempfile.TemporaryDirectory() as folder:
        try:
            trainer = _trainer(_config(a, Path(folder)))
        except HomingError as error:
            raise SystemExit(f"train_speed: {error}") from None
        ours(trainer, 2)  # warm caches
        for _ in range(a.turns):
            for name, loop in (("plain loop", plain), ("homing-train", ours)):
                rates[name].append(2 * a.batch / loop(trainer, a.steps))
        alone = reading(trainer, 4 * a.steps)
    print(trainer.device)
    for name, values in rates.items():
        print(f"{name:14} {np.median(values):7.1f} pictures/s   (least {min(values):.1f}, most {max(values):.1f})")
    print(f"batches alone  {alone:7.1f} pictures a second of the processor ({a.changes})")


if __name__ == "__main__":
    main()
