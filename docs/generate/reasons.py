"""The tables of reasons for not commanding, from the explanations that the status page shows as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from docs.generate.markdown import table
from runtime.guidance import explained
from runtime.guidance.explained import Explanation
from runtime.guidance.reasons import Reason


def _block(reasons: Mapping[Reason, Explanation]) -> Callable[[], str]:
    def block() -> str:
        heads, rows = (
            ("reason", "it means", "what to do"),
            [(f"`{reason.value}`", said.meaning, said.remedy) for reason, said in reasons.items()],
        )
        if any(remedy for _, _, remedy in rows):
            return table(heads, rows)
        return table(heads[:2], [row[:2] for row in rows])

    return block


BLOCKS = {
    "reasons of set up": _block(explained.SET_UP),
    "reasons of authority": _block(explained.AUTHORITY),
    "reasons of the vehicle": _block(explained.VEHICLE),
    "reasons of the position": _block(explained.POSITION),
    "reasons of the limits": _block(explained.LIMITS),
    "reasons on the way": _block(explained.ON_THE_WAY),
}
