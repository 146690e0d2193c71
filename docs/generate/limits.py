"""Tables of what the code holds on record: freshness limits, the layers of `runtime/`, measured worlds."""

from __future__ import annotations

import json

import tomli

import runtime.freshness
from docs.generate.markdown import table
from docs.generate.tree import ROOT
from runtime.freshness import MaxAge
from sim.world_choice import RECORDED


def freshness_block() -> str:
    """How old each thing that was heard may be."""
    limits = [value for value in vars(runtime.freshness).values() if isinstance(value, MaxAge)]
    rows = [(one.what, f"{one.seconds:g} s", f"`{one.key}`" if one.key else "fixed", one.why) for one in limits]
    return table(("what", "believed for", "set by", "why"), rows)


def layers_block() -> str:
    """The layers of `runtime/`, as the import contract holds them, from the top."""
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return "```\n" + "\n".join(layers) + "\n```"


def worlds_block() -> str:
    """The hardness of the worlds that are on record, by seed."""
    rows = [
        (seed, *(f"{share[name]:.3f}".lstrip("0") for name in ("sift", "correlation", "pooled")), str(share["dates"]))
        for seed, share in json.loads(RECORDED.read_text(encoding="utf-8")).items()
    ]
    heads = ("seed", "SIFT and a homography", "grey correlation R@1", "pooled last layer R@1", "pair of dates")
    return table(heads, rows)
