"""How many local features of photos that share no ground agree by chance: what the least inliers rest on.

    python -m tests.bench.chance_pairs [--features DIR]

``--features``: a folder of `homing-export --features`, whose features alone are asked.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from runtime.features.network import FeatureNetwork
from runtime.fix.local_features import DENSE, INVARIANT, UPRIGHT, features_of, learned, pair
from runtime.fix.planar_pose import Prior, solve
from runtime.fix.verify import agreeing, agreeing_posed, implausible

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_SIDE_M = 50.0
_TOLERANCE_M = 0.6


def _photos(folder: Path, step: int) -> list[np.ndarray]:
    names = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".jpg")[::step]
    photos = [cv2.cvtColor(cv2.imread(str(name)), cv2.COLOR_BGR2RGB) for name in names]
    side = min(min(photo.shape[:2]) for photo in photos)
    return [photo[:side, :side] for photo in photos]


def _sized(photo: np.ndarray, side_px: int) -> np.ndarray:
    return cv2.resize(photo, (side_px, side_px), interpolation=cv2.INTER_AREA)


def main(words: Sequence[str] | None = None) -> None:
    """Print how often how many pairs agree, and how often plausibly so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, help="a folder of homing-export --features: these alone")
    options = parser.parse_args(words)
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is absent: there is nothing to measure on.")
    foreign = _photos(DATA / "texture" / "rsscn7", 18)
    queries = _photos(DATA / "flights" / "caliterra", 6) + _photos(DATA / "flights" / "brighton", 2)
    posed = Prior(0.035, 0.06, _SIDE_M, 2.0)
    kinds = {
        "upright, pose known": (UPRIGHT, 256, posed),
        "twice as many of them": (DENSE, 256, posed),
        "invariant, pose unknown": (INVARIANT, 512, Prior(math.radians(10.0))),
    }
    if options.features is not None:
        kinds = {"learned, pose known": (learned(FeatureNetwork.load(options.features)), 256, posed)}
    for name, (kind, side_px, prior) in kinds.items():
        asked = [features_of(_sized(photo, side_px), kind, kind.of_query) for photo in queries]
        known = [features_of(_sized(photo, 400), kind, kind.of_keyframe) for photo in foreign]
        agree, plausible = Counter[int](), Counter[int]()
        for query in asked:
            rays = query.points.astype(np.float64) / side_px - 0.5
            for other in known:
                pairs = pair(query, other, kind.max_ratio)
                if len(pairs) < 5:
                    continue
                ground = (other.points.astype(np.float64)[pairs[:, 1]] / 400 - 0.5) * _SIDE_M
                seen = rays[pairs[:, 0]]
                if prior.posed:
                    inside, _ = agreeing_posed(seen, ground, prior, _SIDE_M)
                else:
                    inside = agreeing(seen, ground, _TOLERANCE_M)
                agree[int(inside.sum())] += 1
                if inside.sum() < 5:
                    continue
                pose = solve(seen[inside], ground[inside], 0.15, prior)
                if not implausible(pose, prior, ground[inside], _SIDE_M):
                    plausible[int(inside.sum())] += 1
        print(f"{name}: {len(asked) * len(known)} pairs of photos; agreeing {sorted(agree.items())}")
        print(f"  plausibly {sorted(plausible.items())}")


if __name__ == "__main__":
    main()
