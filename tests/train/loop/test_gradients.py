"""The whole batch's loss and gradients, in parts and among processes, against the batch in one piece."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.values import ViewKind  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.loop.gradients import Processes, Sides, backward  # noqa: E402
from train.losses.catalogue import LossSpec, WeightedSum  # noqa: E402
from train.losses.embedded import Embedded  # noqa: E402
from train.towers import Towers, TowersSpec  # noqa: E402

LOSSES = (LossSpec("info_nce"), LossSpec("university_reweighting"), LossSpec("instance", 0.3),
          LossSpec("dense_correspondence", 0.2), LossSpec("kept_map", 0.5))  # fmt: skip
PLACES = 7


def setup(shared: bool = False) -> tuple[Towers, WeightedSum, Sides]:
    """Seven places in two untrained towers; the same numbers in every process."""
    torch.manual_seed(0)
    head = HeadSpec(map_channels=4, dimensions=16)
    towers = Towers(TowersSpec(backbones={ViewKind.DRONE: BackboneSpec("resnet18", 1)}, head=head, shared=shared))
    loss = WeightedSum(LOSSES, PLACES, 16)
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (2, PLACES, 32, 32, 3), dtype=np.uint8))
    relation = 2 * torch.eye(PLACES, dtype=torch.int8) - 1
    relation[0, 3] = relation[3, 0] = 0
    shifts = torch.full((PLACES, PLACES, 2), torch.nan)
    shifts[torch.arange(PLACES), torch.arange(PLACES)] = torch.tensor([0.25, -0.125])
    with torch.no_grad():
        targets = [towers(view, crops[1 - n])[1] for n, view in enumerate((ViewKind.DRONE, ViewKind.SATELLITE))]
    sides = Sides(
        ViewKind.DRONE, ViewKind.SATELLITE, crops[0], crops[1], relation, torch.arange(PLACES), shifts, *targets
    )
    return towers.eval(), loss, sides


def share_of(sides: Sides, processes: Processes) -> Sides:
    """What one process holds of a batch: of its own places alone the crops."""
    own = processes.rows(len(sides.relation))
    return replace(sides, query_crops=sides.query_crops[own], gallery_crops=sides.gallery_crops[own], own=own)


def gradients(towers: Towers, loss: WeightedSum) -> dict[str, torch.Tensor]:
    """All there are, by name."""
    named = [*towers.named_parameters(prefix="towers"), *loss.named_parameters(prefix="loss")]
    return {name: p.grad for name, p in named if p.grad is not None}


def plain(towers: Towers, loss: WeightedSum, sides: Sides) -> float:
    """The obvious way: everything in one graph."""
    query, gallery = towers(sides.query, sides.query_crops), towers(sides.gallery, sides.gallery_crops)
    shifts = sides.shifts * query[1].shape[-1]
    places = sides.places
    targets = sides.query_targets, sides.gallery_targets
    value = loss(Embedded(query[0], gallery[0], sides.relation, places, places, query[1], gallery[1], shifts, *targets))
    value.backward()
    return float(value.detach())


def close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], tolerance: float) -> None:
    """Equal to a share of the largest gradient."""
    assert ours.keys() == theirs.keys()
    largest = max(float(g.abs().max()) for g in theirs.values())
    assert largest > 1e-3
    for name, gradient in theirs.items():
        assert float((ours[name] - gradient).abs().max()) <= tolerance * largest, name


@pytest.mark.parametrize("micro_batch", [0, 3, 1])
@pytest.mark.parametrize("shared", [False, True])
def test_parts_give_the_whole(micro_batch: int, shared: bool) -> None:
    towers, loss, sides = setup(shared)
    expected = plain(towers, loss, sides)
    theirs = gradients(towers, loss)
    towers, loss, sides = setup(shared)
    assert backward(towers, loss, sides, micro_batch).loss == pytest.approx(expected, rel=1e-5)
    close(gradients(towers, loss), theirs, 1e-4)


def test_parts_of_their_own_would_not(tmp_path: Path) -> None:
    """What the cache is for: the mean over separate parts is another loss."""
    towers, loss, sides = setup()
    expected = plain(towers, loss, sides)
    own = slice(0, 3)
    part = Sides(sides.query, sides.gallery, sides.query_crops[own], sides.gallery_crops[own],
                 sides.relation[own, own], sides.places[own], sides.shifts[own, own],
                 sides.query_targets[own], sides.gallery_targets[own])  # fmt: skip
    towers, loss, _ = setup()
    assert abs(backward(towers, loss, part).loss - expected) > 0.05


def test_rows_are_shared_out_whole() -> None:
    class Three:
        num_processes = 3

        def __init__(self, index: int) -> None:
            self.process_index = index

    parts = [Processes(Three(index)).rows(7) for index in range(3)]
    assert [list(range(7))[part] for part in parts] == [[0, 1], [2, 3], [4, 5, 6]]


class Sharer:
    """What is asked of accelerate, among threads: each has its index, and a sum waits for all."""

    num_processes = 2

    def __init__(self, index: int, meeting: Barrier, given: dict[int, torch.Tensor]) -> None:
        self.process_index, self._meeting, self._given = index, meeting, given

    def reduce(self, tensor: torch.Tensor, reduction: str) -> torch.Tensor:
        assert reduction == "sum"
        self._given[self.process_index] = tensor.clone()
        self._meeting.wait(60)
        summed = self._given[0] + self._given[1]
        self._meeting.wait(60)  # before the next one is given
        return summed


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_two_that_share_a_batch_give_the_whole(micro_batch: int) -> None:
    towers, loss, sides = setup()
    expected = plain(towers, loss, sides)
    theirs = gradients(towers, loss)
    each, meeting, given = [setup() for _ in range(2)], Barrier(2), dict[int, torch.Tensor]()
    both = [Processes(Sharer(index, meeting, given)) for index in range(2)]
    with ThreadPoolExecutor(2) as pool:
        shared = [pool.submit(backward, one, its, share_of(whole, group), micro_batch, group)
                  for (one, its, whole), group in zip(each, both, strict=True)]  # fmt: skip
    for done, (one, its, _) in zip(shared, each, strict=True):
        assert done.result().loss == pytest.approx(expected, abs=1e-5)
        close(gradients(one, its), theirs, 1e-5)


WORKER = """
import sys
import torch
from accelerate import Accelerator
from tests.train.loop.test_gradients import gradients, setup, share_of
from train.loop.gradients import Processes, backward

accelerator = Accelerator(cpu=True)
towers, loss, sides = setup()
group = Processes(accelerator)
step = backward(towers, loss, share_of(sides, group), int(sys.argv[2]), group)
torch.save({"loss": step.loss, "gradients": gradients(towers, loss)}, f"{sys.argv[1]}/{accelerator.process_index}.pt")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.long
@pytest.mark.parametrize("micro_batch", [2])
def test_two_processes_give_the_whole(tmp_path: Path, micro_batch: int) -> None:
    towers, loss, sides = setup()
    expected = plain(towers, loss, sides)
    theirs = gradients(towers, loss)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2",
                   "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}  # fmt: skip
    command = [sys.executable, str(script), str(tmp_path), str(micro_batch)]
    workers = [  # as torch's launcher starts them, which costs as much as a third one
        subprocess.Popen(command, cwd=root, env=environment | {"RANK": rank, "LOCAL_RANK": rank},
                         stderr=subprocess.PIPE, text=True) for rank in ("0", "1")
    ]  # fmt: skip
    for worker in workers:
        _, said = worker.communicate(timeout=300)
        assert worker.returncode == 0, said[-3000:]
    for index in range(2):
        found = torch.load(tmp_path / f"{index}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(expected, abs=1e-5)
        close(found["gradients"], theirs, 1e-5)
