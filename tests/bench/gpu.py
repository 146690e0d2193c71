"""All that needs a GPU, in eight minutes and one table: ``python -m tests.bench.gpu [--rows a,b] [--budget-s N]``.

ONNX Runtime's CUDA and TensorRT providers and TensorRT itself, in fp16 and fp32: parity with the reference that ships,
build, CUDA graph, latency; training in fp32 and bf16; evaluation against University-1652's 168,437 gallery rows. Each
row runs in a process of its own with a limit of its own, so that a crash or a library that hangs costs one row, and
what a row has measured by then is kept. Engines are built in a temporary cache. Where there is no GPU, one line says
so.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.errors import HomingError
from runtime.machine import gpu_in_sight
from tests.bench import gpu_rows
from tests.bench.gpu_rows import Cell

BUDGET_S = 480.0  # for all rows together; the machine is lent for a quarter of an hour
NOTHING_HERE = (
    "no NVIDIA GPU is in sight, so nothing was measured: this needs one GPU with its driver, and "
    "pip install 'homing[gpu,train]' with onnxruntime-gpu in place of onnxruntime."
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what measures it, and the most seconds that it may take."""

    name: str
    limit_s: float
    measure: Callable[[], Iterable[Cell]]


# What matters most first: where time runs out, the last rows are skipped.
ROWS = (
    Row("machine", 10, gpu_rows.machine),
    Row("CUDA's calls", 20, gpu_rows.cuda_calls),
    Row("onnxruntime-cuda fp32", 60, lambda: gpu_rows.onnxruntime_cuda("fp32")),
    Row("onnxruntime-cuda fp16", 60, lambda: gpu_rows.onnxruntime_cuda("fp16")),
    Row("tensorrt fp16", 120, lambda: gpu_rows.tensorrt_engine("fp16")),
    Row("training fp32", 60, lambda: gpu_rows.training("fp32")),
    Row("training bf16", 60, lambda: gpu_rows.training("bf16")),
    Row("evaluation", 90, gpu_rows.evaluation),
    Row("tensorrt fp32", 90, lambda: gpu_rows.tensorrt_engine("fp32")),
    Row("onnxruntime-tensorrt fp16", 90, lambda: gpu_rows.onnxruntime_tensorrt("fp16")),
    Row("tensorrt fp16 on a DLA", 90, gpu_rows.dla_engine),
)
_WORTH_STARTING_S = 10.0  # importing the libraries alone takes so long


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row's process said before it ended, and why it ended early, if it did."""

    cells: tuple[Cell, ...]
    trouble: str | None
    took_s: float

    def lines(self, name: str) -> Iterator[str]:
        """The row's lines of the Markdown table."""
        for cell in self.cells:
            yield f"| {name} | {cell.what} | {cell.value} |"
        if self.trouble is not None:
            yield f"| {name} | not measured{' further' if self.cells else ''} | {self.trouble} |"


def run(command: Sequence[str], limit_s: float, environment: dict[str, str] | None = None) -> Outcome:
    """Run a row's process and read a JSON object a line; it and all that it started end with the limit."""
    began_s = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=said, stderr=errors, env=environment, start_new_session=True)
        try:
            status: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = None
            _end(process)
        except BaseException:  # Ctrl-C
            _end(process)
            raise
        took_s = time.monotonic() - began_s
        said.seek(0)
        errors.seek(0)
        records = [json.loads(line) for line in said.read().splitlines() if line.startswith("{")]
        last = (errors.read().strip().splitlines() or ["it gave no reason"])[-1]
    cells = tuple(Cell(record["what"], record["value"]) for record in records if "what" in record)
    reasons = [record["trouble"] for record in records if "trouble" in record]
    return Outcome(cells, reasons[0] if reasons else _why(status, limit_s, last), took_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends all that the row has started, and waits for it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(status: int | None, limit_s: float, last: str) -> str | None:
    if status is None:
        return f"over its {limit_s:.0f} s"
    if status < 0:
        return f"its process ended with {signal.Signals(-status).name}: {last}"
    return None if status == 0 else last


def table(rows: Iterable[Row], budget_s: float) -> Iterator[str]:
    """The lines of the table, row after row."""
    yield "| row | what | value |"
    yield "|---|---|---|"
    ends_s = time.monotonic() + budget_s
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "HOMING_CACHE": cache}
        for row in rows:
            left_s = ends_s - time.monotonic()
            if left_s < _WORTH_STARTING_S:
                yield f"| {row.name} | skipped | {max(0.0, left_s):.0f} of {budget_s:.0f} s are left |"
                continue
            command = [sys.executable, "-m", "tests.bench.gpu", "--one", row.name]
            outcome = run(command, min(row.limit_s, left_s), environment)
            print(f"{row.name}: {outcome.took_s:.0f} s", file=sys.stderr, flush=True)
            yield from outcome.lines(row.name)


def _measure(name: str) -> None:
    """In the row's own process: a JSON object a line, as soon as it is known."""
    row = next(row for row in ROWS if row.name == name)
    try:
        for cell in row.measure():
            print(json.dumps({"what": cell.what, "value": cell.value}), flush=True)
    except ModuleNotFoundError as error:
        print(json.dumps({"trouble": f"{error.name} is not installed: pip install 'homing[gpu,train]'"}), flush=True)
    except HomingError as error:
        print(json.dumps({"trouble": str(error)}), flush=True)


def main() -> int:
    """Print the table, or the one line that says what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="names with commas; default: all")
    parser.add_argument("--budget-s", type=float, default=BUDGET_S, help="for all rows together")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        _measure(a.one)
        return 0
    names = a.rows.split(",") if a.rows else [row.name for row in ROWS]
    unknown = [name for name in names if name not in [row.name for row in ROWS]]
    if unknown:
        print(f"there is no row {unknown[0]}; there are {', '.join(row.name for row in ROWS)}.", file=sys.stderr)
        return 2
    if not gpu_in_sight():
        print(NOTHING_HERE)
        return 0
    for line in table([row for row in ROWS if row.name in names], a.budget_s):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
