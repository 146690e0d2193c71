"""Wilson's interval of a share: honest at 0 and 1, where counting standard deviations is not."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959963984540054  # 95 %, two-sided


@dataclass(frozen=True, slots=True)
class Share:
    """So many ``hits`` of ``of``, with the 95 % interval of the share behind them (Wilson, JASA 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share, not a number of nothing."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high); (0, 1) of nothing."""
        if self.of == 0:
            return 0.0, 1.0
        p, n, z2 = self.hits / self.of, self.of, _Z * _Z
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))  # rounding must not leave p outside

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}]"
