"""Usage, arguments and options of every command, from the functions that typer makes commands of."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import typer
from typer.models import ArgumentInfo, ParameterInfo, ParamMeta
from typer.utils import get_params_from_function

import export.export
import runtime.cli.main
import sim.cli.main
import train.card
import train.data.flights
import train.data.texture
import train.evaluate.cli
import train.evaluate.reliability.cli
import train.fit
from docs.generate.markdown import table
from runtime.cli.deferred import program

HEADS = ("option", "value", "default", "what it says")
_NAMES: dict[Any, str] = {
    str: "text", int: "integer", float: "number", bool: "", Path: "path", tuple[float, float]: "two numbers",
}  # fmt: skip
Command = Callable[..., Any]


def block() -> str:
    """A part for each program, and in it one for each command."""
    parts: list[str] = []
    for app in _APPS:
        parts += [f"## {app.info.name}", _text(app.info.help)]
        for path, command in _leaves(str(app.info.name), app):
            parts += [f"### {path}", *_command(path, command)]
    for path, command in _ALONE.items():
        parts += [f"## {path}", *_command(path, command)]
    return "\n\n".join(parts)


def options() -> dict[str, set[str]]:
    """What may follow each command as an option."""
    commands = dict(_ALONE)
    for app in _APPS:
        commands.update(_leaves(str(app.info.name), app))
    return {
        path: {name for param in _params(command) for name in _option_names(param)}
        for path, command in commands.items()
    }


_HOMING = program(runtime.cli.main.NAME, runtime.cli.main.SUMMARY, runtime.cli.main.COMMANDS, imported=True)
_APPS = (_HOMING, sim.cli.main.app)
_ALONE: dict[str, Command] = {
    "homing-train": train.fit.fit,
    "homing-evaluate": train.evaluate.cli.evaluate,
    "homing-export": export.export.export,
    "python -m train.evaluate.reliability.cli": train.evaluate.reliability.cli.measure,
    "python -m train.card": train.card.main,
    "python -m train.data.flights": train.data.flights.main,
    "python -m train.data.texture": train.data.texture.main,
}


def _leaves(path: str, app: typer.Typer) -> Iterator[tuple[str, Command]]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{path} {command.name or command.callback.__name__.replace('_', '-')}", command.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from _leaves(f"{path} {group.typer_instance.info.name}", group.typer_instance)


def _command(path: str, command: Command) -> Iterator[str]:
    yield _text(inspect.getdoc(command))
    params = _params(command)
    arguments = [param for param in params if isinstance(param.default, ArgumentInfo)]
    options = [param for param in params if not isinstance(param.default, ArgumentInfo)]
    usage = " ".join([path, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)])
    yield f"```\n{usage}\n```"
    rows = [(f"`{_argument(param)}`", _value(param), _default(param), _text(param.default.help)) for param in arguments]
    rows += [(_names(param), _value(param), _default(param), _text(param.default.help)) for param in options]
    if rows:
        yield table(HEADS, rows)


def _params(command: Command) -> list[ParamMeta]:
    """What the user gives; typer gives the context."""
    return [param for param in get_params_from_function(command).values() if param.annotation is not typer.Context]


def _argument(param: ParamMeta) -> str:
    name = param.default.metavar or param.name.upper()
    if get_origin(param.annotation) is list and not name.endswith("..."):
        name += "..."
    return name if _required(param) or name.startswith("[") else f"[{name}]"


def _names(param: ParamMeta) -> str:
    return ", ".join(f"`{name}`" for name in _option_names(param))


def _option_names(param: ParamMeta) -> list[str]:
    if isinstance(param.default, ArgumentInfo):
        return []
    given = [name for name in param.default.param_decls or () if name.startswith("-")]
    name = "--" + param.name.replace("_", "-")
    both = [name, name.replace("--", "--no-", 1)] if param.annotation is bool else [name]
    return given or both


def _value(param: ParamMeta) -> str:
    info: ParameterInfo = param.default
    kind = _inner(param.annotation)
    more = list in [get_origin(one) for one in (param.annotation, *get_args(param.annotation))]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{choice.value}`" for choice in kind)
    parts = [_NAMES[kind]]
    parts += [f"at least {info.min:g}"] if info.min is not None else []
    parts += [f"at most {info.max:g}"] if info.max is not None else []
    parts += ["may be repeated"] if more and not isinstance(info, ArgumentInfo) else []
    return ", ".join(parts)


def _inner(annotation: Any) -> Any:
    """The type of one value: of ``list[X] | None``, X."""
    if get_origin(annotation) in (Union, types.UnionType):
        return _inner(next(one for one in get_args(annotation) if one is not type(None)))
    return _inner(get_args(annotation)[0]) if get_origin(annotation) is list else annotation


def _required(param: ParamMeta) -> bool:
    return param.default.default in (..., inspect.Parameter.empty)


def _default(param: ParamMeta) -> str:
    if _required(param):
        return "must be given"
    value = param.default.default
    if value is None or value is False:
        return ""
    if value is True:
        return f"`{_option_names(param)[0]}`"
    return ", ".join(f"`{one}`" for one in (value if isinstance(value, list) else [value]))


def _text(text: str | None) -> str:
    return " ".join((text or "").split())
