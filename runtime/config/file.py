"""A TOML file that knows the line of each of its keys, and says what is wrong with one in a sentence."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that validation found: where, of which pydantic type, and its words."""

    path: KeyPath
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The parsed file with its text."""

    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path, example: str = "") -> TomlFile:
        """Raises ConfigError when the file cannot be read or is not TOML; its message names the line, or, where there
        is no file, the ``example`` that it may begin with."""
        try:
            text = path.read_text(encoding="utf-8")
            return cls(path, text, tomllib.loads(text))
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                hint = f", or begin with a copy of {example}, which shows every key" if example else ""
                raise ConfigError(f"configuration {path} does not exist; name yours{hint}.") from None
            raise ConfigError(f"configuration {path} cannot be read: {error.strerror or error}.") from None
        except UnicodeDecodeError:
            raise ConfigError(f"configuration {path} is not UTF-8 text.") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"configuration {path} is not TOML: {error}.") from None

    def line_of(self, key: KeyPath) -> int:
        """The line, from 1, at which a key (or the nearest section above it) is written.

        The library parses ever longer beginnings of the file: a statement ends where its key first appears, and
        begins after the last beginning that parsed without it. So arrays over several lines and dotted keys need no
        grammar of our own.
        """
        while key and not _holds(self.data, key):
            key = key[:-1]
        lines = self.text.split("\n")
        begins = 1
        for count in range(1, len(lines) + 1):
            try:
                data = tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                continue
            if key and _holds(data, key):
                return begins
            begins = count + 1
        return 1

    def sentence(self, problems: Sequence[Problem], keys_at: Callable[[KeyPath], tuple[str, ...]]) -> str:
        """The first problem by line, in a sentence; unknown keys come first, for they explain missing ones."""
        unknown = [problem for problem in problems if problem.kind == "extra_forbidden"]
        first = min(unknown or problems, key=lambda problem: self.line_of(problem.path))
        where = f"{self.path} line {self.line_of(first.path)}"
        name = _dotted(first.path)
        if first.kind == "extra_forbidden":
            known = keys_at(first.path[:-1])
            near = difflib.get_close_matches(str(first.path[-1]), known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            return f"{where}: unknown key {name}; {advice}"
        if first.kind == "missing":
            return f"{where}: key {name} is missing."
        said = _IN_TOML.get(first.kind) or first.message.removeprefix("Value error, ")
        return f"{where}: {name}: {said[0].lower()}{said[1:].rstrip('.')}."


_IN_TOML = {  # what pydantic says in Python's words
    "tuple_type": "input should be a list, in square brackets",
    "path_type": "input should be a path, in quotes",
    "string_type": "input should be a text, in quotes",
    "float_type": "input should be a number",
    "float_parsing": "input should be a number, without quotes",
    "int_type": "input should be a whole number",
    "int_parsing": "input should be a whole number, without quotes",
    "bool_type": "input should be true or false",
    "bool_parsing": "input should be true or false",
}


def _holds(data: Any, key: KeyPath) -> bool:
    for part in key:
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return False
    return True


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
