"""Tables of configuration keys, from the pydantic models that validate the files."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.generate.markdown import sentence, table
from runtime.config.config import Config
from train.loop.config import TrainConfig

HEADS = ("key", "value", "default", "what it says")
_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", type(None): "", Any: ""}
_SIGNS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "at least"), (Gt, "gt", "more than"), (Le, "le", "at most"), (Lt, "lt", "less than"),
)  # fmt: skip


def flight_block() -> str:
    """The tables of the daemon's configuration, one for each section."""
    return _block(Config)


def training_block() -> str:
    """The tables of a training run's configuration."""
    return _block(TrainConfig)


def _block(model: type[BaseModel]) -> str:
    """A table for each kind of section, headed by every name under which the file may hold it."""
    titles: dict[type[BaseModel], list[str]] = {}
    for title, section in _sections(model):
        titles.setdefault(section, []).append(title)
    return "\n\n".join(_section(", ".join(names), section) for section, names in titles.items())


def _sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        for section in models_in(field.annotation):
            repeated = get_origin(field.annotation) is tuple
            yield f"[[{prefix}{name}]]" if repeated else f"[{prefix}{name}]", section
            yield from _sections(section, f"{prefix}{name}.")


def _section(title: str, section: type[BaseModel]) -> str:
    said = sentence((section.__doc__ or "").split("]: ", 1)[-1])
    keys = {key: field for key, field in section.model_fields.items() if not models_in(field.annotation)}
    rows = [(f"`{key}`", value_of(field), _default(field), field.description or "") for key, field in keys.items()]
    return f"## {title}\n\n{said[0].upper()}{said[1:]}\n\n{table(HEADS, rows)}"


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def value_of(field: FieldInfo) -> str:
    """Type and limits of a field, in words."""
    limits = [
        f"{words} {getattr(limit, attribute):g}"
        for limit in field.metadata
        for kind, attribute, words in _SIGNS
        if isinstance(limit, kind)
    ]
    if any(isinstance(limit, MinLen) for limit in field.metadata):
        limits.append("not empty")
    return ", ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):  # Annotated: its limits are the value's
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(filter(None, map(_type, arguments)))
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {_type(arguments[0])}"
    if origin is tuple:
        kinds = set(map(_type, arguments))
        return f"[{len(arguments)} × {kinds.pop()}]" if len(kinds) == 1 else str(annotation)
    if origin is dict:
        inner = _type(arguments[1]) if len(arguments) == 2 else ""
        return f"table of {inner}" if inner else "table"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{one.value}`" for one in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    return _NAMES.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    if field.default_factory is not None:
        return "see the text"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(_toml, value))}]`"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
