"""How far a run is, for whoever waits: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from train.loop.trainer import Tell

_LINES = 20  # of a whole run, where there is no terminal


@contextmanager
def told(console: Console) -> Iterator[Tell]:
    """What `Trainer.train` reports to while this lasts."""
    if not console.is_terminal:
        yield lambda *state: _line(console, *state)
        return
    left = TextColumn("{task.fields[left]} left")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), left)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("beginning", total=None, left="?")

        def bar(step: int, steps: int, loss: float, speed: float, left_s: float) -> None:
            text = f"loss {loss:.4f}  {speed:.0f} images/s"
            progress.update(task, total=steps, completed=step, description=text, left=f"{left_s / 60:.1f} min")

        yield bar


def _line(console: Console, step: int, steps: int, loss: float, speed: float, left_s: float) -> None:
    if step * _LINES // steps != (step - 1) * _LINES // steps:
        left = f"{left_s / 60:.1f} min left"
        console.print(f"step {step} of {steps}: loss {loss:.4f}, {speed:.0f} images/s, {left}", highlight=False)
