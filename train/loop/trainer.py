"""The loop itself: choose, read, step, average, measure, save; and go on where it was stopped."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.errors import StorageError
from runtime.values import ViewKind
from train.backbones import BackboneSpec
from train.data.augment import Strength
from train.data.pairs import TOWER_OF
from train.data.training_set import TrainingSet
from train.embedding_head import EmbeddingHead, fit_
from train.loop.batches import Batch, Memory, choose, make_batch, too_few
from train.loop.config import DEVICE, DataSection, TrainConfig
from train.loop.device_feed import DeviceFeed
from train.loop.gradients import Processes, Sides, Step, backward
from train.loop.record import Record
from train.loop.schedule import Average, factor, freeze_unused, optimizer, set_rate
from train.loop.selection import Selection
from train.loop.state import State
from train.losses.catalogue import KEPT_MAP, WeightedSum
from train.precision import FP16, computing_in
from train.towers import Towers, load_towers, save_towers

log = logging.getLogger(__name__)

BEST, LAST, UNTRAINED = "best.pt", "last.pt", "untrained.pt"
_FITTED_ON = 256  # places whose crops the untrained head is fitted to
_FIT_BATCH = 32
Tell = Callable[[int, int, float, float, float], None]  # step, steps, loss, images a second, seconds left


class Trainer:
    """One run of a configuration; ``accelerator`` shares its batches among processes.

    Raises:
        HomingError: the data, the weights or the folder cannot be used.
    """

    def __init__(self, config: TrainConfig, accelerator: Any | None = None) -> None:
        self.config, self.run = config, config.run
        self._processes = Processes(accelerator)
        self.device = accelerator.device if accelerator is not None else torch.device("cpu")
        torch.manual_seed(self.run.seed)
        self.data = TrainingSet.open(config.data.train, config.pairs, config.data.size_px, config.data.cache_mb)
        self.strength = _strength(config.data)
        self._feed = self._device_feed() if config.data.changes == DEVICE else None
        self.towers = self._new_towers()
        self.loss = WeightedSum(config.losses, len(self.data.places), self._dimensions()).to(self.device)
        self._teacher = self._untrained() if KEPT_MAP in [spec.name for spec in config.losses] else None
        freeze_unused(self.towers, self.run.backbone_factor)
        self.optimizer = optimizer(
            self.towers, self.loss, self.run.learning_rate, self.run.backbone_factor, self.run.weight_decay
        )
        self.average = Average(self.towers, self.run.average)
        self.memory = Memory(len(self.data.places), self._dimensions())
        fp16 = self.run.precision == FP16 and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=fp16)  # type: ignore[attr-defined, unused-ignore]
        held_out = config.data.validation
        self.selection = Selection(held_out, config.pairs, self.run.precision) if held_out else None
        self.step, self.best, self._planned = 0, -1.0, self._choose(0)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self._processes.index == 0

    def train(self, tell: Tell, until: int | None = None) -> None:
        """Run to the end, or to a step; resumes from what the folder holds."""
        try:
            self.run.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.run.out} cannot be written: {error.strerror}.") from error
        self._resume()
        record = Record(self.run.out, self.step) if self.leads else None
        if self.step == 0:
            self._measure(record)
            if self.leads:
                save_towers(self.towers, self.run.out / UNTRAINED, {"step": 0})
        stop = min(self.run.steps, until if until is not None else self.run.steps)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, self._planned, self.step) if self.step < stop else None
            begun, first = time.monotonic(), self.step
            while self.step < stop:
                coming, value = self._one(reader, coming, stop)
                done, spent = self.step - first, time.monotonic() - begun
                speed = done * 2 * self.run.batch / spent
                if record is not None:
                    record.add(self.step - 1, {"loss": value, **{f"loss {n}": v for n, v in self.loss.last.items()}})
                    tell(self.step, self.run.steps, value, speed, spent / done * (self.run.steps - self.step))
                self._milestones(record, stop)
        if record is not None:
            record.close()

    def averaged(self) -> Towers:
        """The towers with the mean of their weights."""
        towers = copy.deepcopy(self.towers)
        towers.load_state_dict(self.average.weights)
        return towers.eval()

    def finished(self) -> Towers:
        """The same, and what no loss trains fitted to them."""
        towers = self.averaged()
        if self.config.towers.head.appearance:
            towers.fit_appearance_(self.some_crops())
        return towers

    def one_step(self, batch: Batch) -> Step:
        """Gradients of a batch and one step of the optimizer."""
        self.optimizer.zero_grad(set_to_none=True)
        set_rate(self.optimizer, self.run.learning_rate * factor(self.step, self.run.steps, self.run.warm_up))
        done = backward(
            self.towers, self.loss, self.sides(batch), self.run.micro_batch, self._processes, self._autocast,
            self.scaler.scale,
        )  # fmt: skip
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_([*self.towers.parameters(), *self.loss.parameters()], self.run.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.take(self.towers)
        return done

    def sides(self, batch: Batch) -> Sides:
        """A batch as tensors on the device."""
        def there(array: NDArray[Any] | torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(array).to(self.device)

        kept, own = self._kept(batch)
        views = TOWER_OF[batch.pair.query], TOWER_OF[batch.pair.gallery]
        clear = [there(crops) for crops in batch.clear]
        query, gallery = (self._target(view, crops, own, len(kept)) for view, crops in zip(views, clear, strict=True))
        both = np.ix_(kept, kept)
        return Sides(
            *views, there(batch.queries), there(batch.gallery), there(batch.relation[both]), there(batch.places[kept]),
            there(batch.shifts[both]), query, gallery, own,
        )  # fmt: skip

    def _kept(self, batch: Batch) -> tuple[NDArray[np.int64], slice]:
        """The places that have been read, by whichever process, and which of them are this one's."""
        total = len(batch.places)
        rows = self._processes.rows(total)
        readable = torch.from_numpy(batch.readable).to(self.device, torch.float32)
        read = self._processes.whole(readable, rows, total).cpu().numpy() > 0
        if read.sum() < 2:
            raise too_few()
        return np.flatnonzero(read), slice(int(read[: rows.start].sum()), int(read[: rows.stop].sum()))

    @torch.no_grad()
    def _target(self, view: ViewKind, crops: torch.Tensor, own: slice, total: int) -> torch.Tensor | None:
        """The teacher's maps of all clear crops, from those of this process; None without a teacher."""
        if self._teacher is None:
            return None
        with self._autocast():
            _, maps = self._teacher(view, crops)
        return None if maps is None else self._processes.whole(maps.float(), own, total)

    def _untrained(self) -> Towers:
        """A copy of the towers as a run begins; those of a run that goes on are loaded later."""
        return copy.deepcopy(self.towers).eval().requires_grad_(False)

    def _one(self, reader: ThreadPoolExecutor, coming: Future[Batch] | None, stop: int) -> tuple[Any, float]:
        """Learns from one batch while the next is planned and read, from the embeddings of the step before."""
        assert coming is not None
        batch = coming.result()
        self._planned = self._choose(self.step + 1)
        following = reader.submit(self._read, self._planned, self.step + 1) if self.step + 1 < stop else None
        done = self.one_step(batch)
        if self.run.look_alikes:
            self.memory.remember(done.places.cpu().numpy(), done.embeddings.float().cpu().numpy())
        self.step += 1
        return following, done.loss

    def _choose(self, step: int) -> NDArray[np.int64]:
        return choose(self.data, self.memory, self.run.seed, step, self.run.batch, self.run.hard_share)

    def _read(self, places: NDArray[np.int64], step: int) -> Batch:
        pair = self.config.pairs[step % len(self.config.pairs)]
        if self._feed is not None:
            return self._feed.batch(places, pair, self.strength, self.run.seed, step, self._processes.rows)
        return make_batch(self.data, places, pair, self.strength, self.run.seed, step, self._processes.rows)

    def _device_feed(self) -> DeviceFeed:
        feed = DeviceFeed(self.data, self._views(), self.device, self.config.data.cache_mb, self.run.threads)
        log.info("%d pictures are kept on %s", feed.count, self.device)
        return feed

    def _views(self) -> list[str]:
        """The views of all pairs, by the data's names."""
        return list(dict.fromkeys(view for pair in self.config.pairs for view in (pair.query, pair.gallery)))

    def _milestones(self, record: Record | None, stop: int) -> None:
        last = self.step == stop
        if self.step % self.run.evaluate_every == 0 or self.step == self.run.steps:
            self._measure(record)
        if self.leads and (self.step % self.run.checkpoint_every == 0 or last):
            self._save()
            if record is not None:
                record.flush()

    def _measure(self, record: Record | None) -> None:
        """Measure the mean of the weights on what is held out, and keep it if nothing so far was better."""
        if not self.leads or record is None:
            return
        values = self.selection.measure(self.averaged()) if self.selection is not None else {}
        record.add(self.step, values)
        if "selected" in values:
            log.info("step %d: R@1 %.4f on what is held out, before %.4f", self.step, values["selected"], self.best)
        if self.selection is None and self.step == 0:
            return  # nothing says that the untrained are the best
        if values.get("selected", self.best) >= self.best:
            self.best = values.get("selected", self.best)
            notes = {"step": self.step, "configuration": self.config.digest, **values}
            save_towers(self.finished(), self.run.out / BEST, notes)

    def _save(self) -> None:
        parts = {
            "towers": self.towers.state_dict(), "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(),
            "average": {"count": self.average.count, "weights": self.average.weights},
            "memory": torch.from_numpy(self.memory.rows), "planned": torch.from_numpy(self._planned),
            "best": self.best,
        }  # fmt: skip
        State(self.config.digest, self.step, parts).save(self.run.out)
        save_towers(self.finished(), self.run.out / LAST, {"step": self.step, "configuration": self.config.digest})

    def _resume(self) -> None:
        state = State.load(self.run.out, self.config.digest)
        if state is None:
            return
        parts = state.parts
        self.towers.load_state_dict(parts["towers"])
        self.loss.load_state_dict(parts["loss"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.scaler.load_state_dict(parts["scaler"])
        self.average.load(parts["average"]["count"], parts["average"]["weights"])
        self.memory.rows[:] = parts["memory"].numpy()
        self._planned, self.best, self.step = parts["planned"].numpy(), parts["best"], state.step
        log.info("going on from step %d of %d", self.step, self.run.steps)

    def _new_towers(self) -> Towers:
        if self.config.towers.start is not None:
            towers, _ = load_towers(self.config.towers.start)
            return _channels_last(towers.to(self.device))
        towers = Towers(self.config.spec()).to(self.device).eval()
        self._fit_heads(towers)
        return _channels_last(towers)

    def _fit_heads(self, towers: Towers) -> None:
        """Set each untrained head to the statistics of training crops: what training has to beat. Towers of one kind
        of backbone are fitted to the crops of all their views, for heads turned each its own way would share nothing.
        """
        crops: dict[BackboneSpec, list[NDArray[np.uint8]]] = {}
        for view, batches in self.some_crops().items():
            crops.setdefault(towers.spec.backbone(view), []).extend(batches)
        for tower, kind in {towers.tower(v): towers.spec.backbone(v) for v in towers.spec.views}.items():
            own = crops.get(kind)
            if own and isinstance(tower.head, EmbeddingHead):
                fit_(tower.head, tower.backbone, tower.depth, own)

    def some_crops(self) -> dict[ViewKind, list[NDArray[np.uint8]]]:
        """Batches of training crops by view, always the same, to fit to what no gradient reaches."""
        rng = np.random.default_rng([self.run.seed, 43])
        chosen = rng.permutation(len(self.data.places))[:_FITTED_ON]
        crops: dict[ViewKind, list[NDArray[np.uint8]]] = {}
        for view in self._views():
            read = [self.data.crop(int(index), view, rng) for index in chosen]
            own = [crop for crop in read if crop is not None]
            batches = [np.stack(own[i : i + _FIT_BATCH]) for i in range(0, len(own), _FIT_BATCH)]
            crops.setdefault(TOWER_OF[view], []).extend(batches)
        return crops

    def _dimensions(self) -> int:
        """Of the vector that is trained."""
        size, tower = self.config.data.size_px, self.towers.tower(self.towers.spec.views[0])
        with torch.inference_mode():
            return int(tower.head(tower.features(np.zeros((1, size, size, 3), np.uint8)))[0].shape[1])

    def _autocast(self) -> AbstractContextManager[None]:
        return computing_in(self.run.precision, self.device.type)


def _strength(data: DataSection) -> Strength:
    return Strength(data.weather, data.heading_deg, data.scale, data.window, data.any_heading)


def _channels_last(towers: Towers) -> Towers:
    """Convolutions' weights as the crops come, channels last: twice the speed on a CPU with bf16."""
    for parameter in towers.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return towers
