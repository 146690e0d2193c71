"""What the files and the control socket hold, from the schemas and models that write and read them."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from docs.generate.configuration import models_in, value_of
from docs.generate.markdown import sentence, table
from runtime.bundle import Manifest
from runtime.daemon.operator_handler import Request
from runtime.flightlog.records import RECORDS
from runtime.history.file import create_file
from runtime.history.pictures import make_tables


def history_block() -> str:
    """The tables of a flight history, as SQLite tells them of an empty one that may hold maps."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        create_file(path, {})
        with closing(sqlite3.connect(path)) as connection:
            make_tables(connection)
            names = [name for (name,) in connection.execute(_TABLES)]
            columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
    rows = [
        (f"`{name}`", ", ".join(f"`{column[1]}` {column[2].lower()}" for column in columns[name])) for name in names
    ]
    return table(("table", "columns"), rows)


def manifest_block() -> str:
    """The keys of bundle.json and of the objects in it."""
    parts = [_model(Manifest)]
    for model in _below(Manifest):
        parts.append(f"`{model.__name__}`: {sentence(model.__doc__ or '')}\n\n{_model(model)}")
    return "\n\n".join(parts)


def log_block() -> str:
    """The channels of the flight log with the keys of their records."""
    rows = []
    for kind in RECORDS:
        keys = kind.schema().get("properties", {})
        rows.append((f"`{kind.channel}`", sentence(kind.__doc__ or ""), ", ".join(f"`{key}`" for key in keys)))
    return table(("channel", "what", "keys of its records"), rows)


def requests_block() -> str:
    """The requests that the control socket takes."""
    rows = []
    for model in get_args(get_args(Request)[0]):
        fields = dict(model.model_fields)
        commands = get_args(fields.pop("command").annotation)
        keys = ", ".join(f"`{key}` ({value_of(field)})" for key, field in fields.items())
        rows.append((" or ".join(f"`{command}`" for command in commands), keys or "none"))
    return table(("command", "other keys"), rows)


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


def _model(model: type[BaseModel]) -> str:
    return table(("key", "value"), [(f"`{key}`", value_of(field)) for key, field in model.model_fields.items()])


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models of the fields of a model, and of theirs, each once, in order."""
    found: dict[type[BaseModel], None] = {}
    for field in model.model_fields.values():
        for one in models_in(field.annotation):
            found.setdefault(one)
            found.update(dict.fromkeys(_below(one)))
    return list(found)
