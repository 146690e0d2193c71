"""Commands whose module is imported when they are called: help and small commands need not wait for the large ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group


@dataclass(frozen=True, slots=True)
class Deferred:
    """A command, or a group of commands, by where it is: ``module:function``, or ``module:app``.

    ``summary`` is what the help of the program says of it, so that this needs no import: the first paragraph of the
    function's docstring, or the help of the group. ``settings`` are what typer's ``command`` takes besides.
    """

    name: str
    where: str
    summary: str
    settings: dict[str, Any] = field(default_factory=dict)

    def add_to(self, app: typer.Typer) -> None:
        """Import the module, and add to ``app`` what it holds."""
        found = self._imported()
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=self.name)
        else:
            app.command(self.name, **self.settings)(found)

    def add_stand_in_to(self, app: typer.Typer) -> None:
        """Add to ``app`` a command that imports the module when it is called, and then is what the module holds."""
        deferred = self

        class StandIn(TyperCommand):
            def make_context(self, *args: Any, **more: Any) -> Any:
                return deferred._command().make_context(*args, **more)

        app.command(self.name, cls=StandIn, help=self.summary)(lambda: None)

    def _command(self) -> Any:
        found = self._imported()
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        self.add_to(alone)
        return get_command(alone)

    def _imported(self) -> typer.Typer | Callable[..., Any]:
        module, _, name = self.where.partition(":")
        found: typer.Typer | Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found


def _say_version(asked: bool) -> None:
    if asked:
        try:
            print(f"homing {version('homing')}")
        except PackageNotFoundError:
            print("homing, not installed: run from its own folder")
        raise typer.Exit()


def _opened(
    asked: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is.")
    ] = False,
) -> None:
    """What stands before a command."""


def program(name: str, summary: str, commands: Iterable[Deferred], *, imported: bool = False) -> typer.Typer:
    """The application ``name`` with ``commands``, in their order; ``imported`` ones can be looked into."""
    app = typer.Typer(
        name=name, help=summary, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(_opened)
    for command in commands:
        command.add_to(app) if imported else command.add_stand_in_to(app)
    return app
