"""What packing the spatial maps of recorded photos costs a search for places: ``python -m tests.bench.packed_maps``.

    python -m tests.bench.packed_maps [--ground NAME ...] [--every N] [--work DIR]

Every N-th question of each ground (`tests.bench.ground_sites`) whose history keeps maps in half precision is asked of
the history as it is, and with its maps packed as `homing history compact` packs them: how many right places come first,
how many are accepted by the bundle's own table, and how many out of coverage.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.history.spatial_maps import CentredMap, centred_map_of, pack
from runtime.matching.acceptance import Acceptance
from tests.bench.ground_sites import SITES
from tests.bench.grounds import Answering, Asked, Ground, Without

GROUNDS = ("survey 100000", "survey 100001", "turku, flight", "ariel, flight", "caliterra", "brighton")


class Packed(Without):
    """A history whose maps are packed as they are read."""

    def centred_maps(self, ids: Sequence[int], footprint_m: float) -> list[CentredMap] | None:
        found = super().centred_maps(ids, footprint_m)
        return None if found is None else [_packed(one) for one in found]


class AnsweringPacked(Answering):
    """Locates with packed maps."""

    def source(self, without: frozenset[int]) -> Packed:
        return Packed(self._ground.history, without)


def _packed(spatial: CentredMap) -> CentredMap:
    kept = pack(spatial.unpacked())
    packed = centred_map_of((*kept.shape, kept.data))
    assert packed is not None
    return packed


def counted(ground: Ground, answering: Answering, asked: Sequence[Asked], acceptance: Acceptance) -> Counter[str]:
    """Of the questions: those about right places, of them first and accepted; the others, and of them accepted."""
    counts: Counter[str] = Counter()
    for one in asked:
        places, error_m = answering(one)
        accepted = bool(places) and acceptance.accepts(places)
        if one.truth_ne_m is None:
            counts += Counter(outside=1, outside_accepted=accepted)
        else:
            right = error_m is not None and error_m <= ground.right_m
            counts += Counter(inside=1, first=right, accepted=accepted and right, wrong=accepted and not right)
    return counts


def main() -> None:
    """Ask, count, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground", action="append", choices=GROUNDS, help="one of the grounds; by default all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask every N-th question")
    parser.add_argument("--work", type=Path, help="a folder for what is made; what is there is not made again")
    options = parser.parse_args()
    table = Table("ground", "maps", "first", "accepted", "wrong accepted", "out of coverage accepted")
    with tempfile.TemporaryDirectory() as scratch:
        embedder = Embedder(Bundle.load(), threads=1)
        for name in options.ground or GROUNDS:
            with SITES[name](options.work or Path(scratch), embedder) as ground:
                acceptance = Acceptance.of(embedder.bundle.acceptance(ground.query, ground.gallery))
                assert acceptance is not None  # the bundle that ships has one for these views
                for kept, kind in (("halves", Answering), ("packed", AnsweringPacked)):
                    n = counted(ground, kind(ground, embedder), ground.asked[:: options.every], acceptance)
                    inside, outside = f"of {n['inside']}", f"{n['outside_accepted']} of {n['outside']}"
                    row = f"{n['first']} {inside}", f"{n['accepted']} {inside}", str(n["wrong"]), outside
                    table.add_row(name, kept, *row)
                    print(name, kept, *row, flush=True)
    Console().print(table)


if __name__ == "__main__":
    main()
