"""`homing-train CONFIG.toml`, with or without install: ``python train/fit.py CONFIG.toml``.

On several GPUs or machines: ``accelerate launch train/fit.py CONFIG.toml``. Interrupted, the same command goes on.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import typer
from rich.console import Console
from rich.logging import RichHandler

from train.entry import enter


def fit(
    configuration: Annotated[Path, typer.Argument(help="A TOML file; see train/configs.")],
    until: Annotated[int | None, typer.Option(min=1, help="Stop after this many steps; the next call goes on.")] = None,
) -> None:
    """Train towers as a configuration says; what was begun is gone on with."""
    from train.loop.config import load_config

    config = load_config(configuration)  # what is wrong with it is said before the rest is imported
    from train.loop.progress import told
    from train.loop.trainer import BEST, LAST

    console = Console(stderr=True, width=120)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=console)])
    trainer = _trainer(config)
    with told(console) as tell:
        trainer.train(tell, until)
    if trainer.leads:
        typer.echo(f"{config.run.out}: step {trainer.step} of {config.run.steps}, best {trainer.best:.4f}")
        kept = next(name for name in (BEST, LAST) if (config.run.out / name).is_file())
        typer.echo(f"next: homing-evaluate DATA --checkpoint {config.run.out / kept}")


def _trainer(config: Any) -> Any:
    import torch

    from train.loop.trainer import Trainer
    from train.precision import device_here
    from train.torchvision_ops import declare_missing_operators

    declare_missing_operators()
    torch.set_num_threads(config.run.threads)
    on_cpu = device_here().type == "cpu"
    if "RANK" not in os.environ and on_cpu:
        return Trainer(config)
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=on_cpu)
    logging.getLogger(__name__).info("%d processes share each batch", accelerator.num_processes)
    return Trainer(config, accelerator)


def main() -> None:
    """Entry point of `homing-train`."""
    enter("homing-train", fit)


if __name__ == "__main__":
    main()
