"""What a run leaves to look at: TensorBoard's file, the numbers as CSV, and a PNG of the curves."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CSV = "curves.csv"
_COLUMNS = ("step", "name", "value")


class Record:
    """Numbers by name and step. A resumed run goes on in the same files; what it had written beyond is dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self.rows = [row for row in _read(folder / CSV) if row[0] < step]
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)  # type: ignore[no-untyped-call, unused-ignore]

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Note the values of a step."""
        for name, value in values.items():
            self.rows.append((step, name, value))
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write everything, the picture of the curves too."""
        self._writer.flush()
        with (self._folder / CSV).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows((step, name, f"{value:.8g}") for step, name, value in self.rows)
        self._draw(self._folder / "curves.png")

    def close(self) -> None:
        """The last word."""
        self.flush()
        self._writer.close()

    def _draw(self, path: Path) -> None:
        names = sorted({name for _, name, _ in self.rows})
        if not names:
            return
        figure = Figure(figsize=(7, 2.2 * len(names)), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
            points = [(step, value) for step, other, value in self.rows if other == name]
            axes.plot(*zip(*points, strict=True), linewidth=1.0, marker="." if len(points) < 40 else "")
            axes.set_title(name, fontsize=9)
            axes.grid(alpha=0.3)
        figure.savefig(path, dpi=90)


def _read(path: Path) -> list[tuple[int, str, float]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]
