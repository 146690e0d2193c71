"""Answers as a bundle might give them, made from a seed."""

from __future__ import annotations

import numpy as np

from sim.acceptance.answers import Answer
from sim.acceptance.model import FEATURES
from sim.acceptance.questions import FAR, KNOWN, NEAR, TARGET


def answers(seed: int, spread: float = 0.3, lucky_outside: float = 0.0, luck: float = 4.0) -> list[Answer]:
    """A hundred right places, of a sharpness around 4, and a hundred out-of-coverage queries, around -4 but that share
    of them, which are as sharp as ``luck``; the more readings are tried, the fewer are right, and their number varies
    by ``spread``."""
    rng = np.random.default_rng(seed)
    made: list[Answer] = []
    for number in range(200):
        right = number % 2 == 0
        sharpness = 4.0 if right else luck if rng.random() < lucky_outside else -4.0
        values = {name: float(rng.normal()) for name in FEATURES} | {"log_over_spread": rng.normal(sharpness)}
        values["log_tried"] = 3.4 + spread * rng.normal(-1.0 if right else 1.0)
        kind = TARGET if right else NEAR if number % 4 == 1 else FAR
        made.append(Answer(seed, kind, KNOWN, [values], abs(rng.normal(0, 2)) if right else 80.0, 2.0))
    return made
