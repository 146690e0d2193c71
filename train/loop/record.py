"""What a run leaves to look at: TensorBoard's file, the numbers as CSV, and a PNG of the curves."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CSV = "curves.csv"
_COLUMNS = ("step", "name", "value")
_PANELS_A_ROW = 2
_WIDTH_IN, _HEIGHT_IN = 5.5, 3.2  # of a panel
_ROOM_IN = (0.65, 0.5, 0.15, 0.35)  # left, below, right and above in it, for what is written beside its axes
_MANY, _MEAN_OF = 40, 20  # points of a line: so many are drawn pale, and the mean of the last few on them
Point = tuple[int, float]  # step, value


class Record:
    """Numbers by name and step. A resumed run goes on in the same files; what it had written beyond is dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self.rows = [row for row in _read(folder / CSV) if row[0] < step]
        self._flushed: int | None = None  # rows that the files hold
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)  # type: ignore[no-untyped-call, unused-ignore]

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Note the values of a step."""
        for name, value in values.items():
            self.rows.append((step, name, value))
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write everything, the picture of the curves too; nothing where no number has come since."""
        if self._flushed == len(self.rows):
            return
        self._writer.flush()
        with (self._folder / CSV).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows((step, name, f"{value:.8g}") for step, name, value in self.rows)
        self._draw(self._folder / "curves.png")
        self._flushed = len(self.rows)

    def close(self) -> None:
        """The last word."""
        self.flush()
        self._writer.close()

    def _draw(self, path: Path) -> None:
        """A panel for each loss, with its running mean, and one for each pair of views, with a line a condition."""
        panels: dict[str, dict[str, list[Point]]] = {}
        for step, name, value in sorted(self.rows, key=lambda row: (row[1], row[0])):
            title, _, label = name.partition(", ")
            panels.setdefault(title, {}).setdefault(label, []).append((step, value))
        if not panels:
            return
        figure = Figure(figsize=(_WIDTH_IN * _PANELS_A_ROW, _HEIGHT_IN * -(-len(panels) // _PANELS_A_ROW)))
        FigureCanvasAgg(figure)
        for number, (title, lines) in enumerate(panels.items()):
            _panel(_axes(figure, *divmod(number, _PANELS_A_ROW)), title, lines)
        figure.savefig(path, dpi=90)


def _axes(figure: Figure, row: int, column: int) -> Axes:
    """The axes of the panel in a row from the top and a column, with fixed room for their labels: to measure these
    takes as long as to draw everything."""
    (width, height), (left, bottom, right, top) = figure.get_size_inches(), _ROOM_IN
    x, y = column * _WIDTH_IN + left, height - (row + 1) * _HEIGHT_IN + bottom
    size = ((_WIDTH_IN - left - right) / width, (_HEIGHT_IN - bottom - top) / height)
    return figure.add_axes((x / width, y / height, *size))


def _panel(axes: Axes, title: str, lines: Mapping[str, Sequence[Point]]) -> None:
    for label, points in lines.items():
        steps, values = (np.array(part) for part in zip(*points, strict=True))
        many = len(points) >= _MANY
        axes.plot(steps, values, linewidth=1.0, alpha=0.35 if many else 1.0, marker="" if many else ".", label=label)
        if many:
            mean = np.convolve(values, np.full(_MEAN_OF, 1 / _MEAN_OF), mode="valid")
            axes.plot(steps[_MEAN_OF - 1 :], mean, linewidth=1.4, color=axes.lines[-1].get_color())
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("step", fontsize=8)
    axes.grid(alpha=0.3)
    if len(lines) > 1:
        axes.legend(fontsize=7)


def _read(path: Path) -> list[tuple[int, str, float]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]
