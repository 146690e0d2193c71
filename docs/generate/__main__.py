"""``python -m docs.generate``: brings the generated parts of the pages up to date; tests/docs fails while they are not.

A page says where a part belongs with a pair of comments, between which it is replaced:

    <!-- generated: NAME -->
    <!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docs.generate import authority, commands, configuration, conformance, faults, formats, limits, reasons, tree

DOCS = Path(__file__).resolve().parents[1]
BLOCKS: dict[str, Callable[[], str]] = {
    "authority modes": authority.modes_block,
    "authority events": authority.events_block,
    "authority switches": authority.switches_block,
    "authority numbers": authority.numbers_block,
    "commands": commands.block,
    "configuration": configuration.flight_block,
    "conformance": conformance.facts_block,
    "conformance planes": conformance.planes_block,
    "conformance differences": conformance.differences_block,
    "training configuration": configuration.training_block,
    "history tables": formats.history_block,
    "bundle manifest": formats.manifest_block,
    "log channels": formats.log_block,
    "control requests": formats.requests_block,
    "fault matrix": faults.matrix_block,
    "faults not measured": faults.missing_block,
    "fault words": faults.words_block,
    "freshness": limits.freshness_block,
    "layers": limits.layers_block,
    "measured worlds": limits.worlds_block,
    "folders": tree.overview_block,
    "files": tree.block,
    **reasons.BLOCKS,
}
_BLOCK = re.compile(r"(?ms)^(<!-- generated: ([\w ]+) -->\n).*?^(<!-- end -->)$")


def generated() -> Iterator[tuple[Path, str]]:
    """Each page that holds generated parts, with the text that it should have."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if _BLOCK.search(text):
            yield page, _BLOCK.sub(_filled, text)


def stale() -> list[Path]:
    """The pages that do not say what the code says."""
    return [page for page, text in generated() if page.read_text(encoding="utf-8") != text]


def write() -> None:
    """Bring every page up to date and say which ones changed."""
    for page, text in generated():
        if page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            print(f"{page.relative_to(DOCS.parent)}: written")


def _filled(match: re.Match[str]) -> str:
    return f"{match[1]}\n{BLOCKS[match[2]]().strip()}\n\n{match[3]}"


if __name__ == "__main__":
    write()
