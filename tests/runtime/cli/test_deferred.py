"""A command whose module is imported when it is called is, to whoever calls it, any other command."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from runtime.cli.deferred import program
from runtime.cli.main import COMMANDS, NAME, SUMMARY, app

IMPORTED = program(NAME, SUMMARY, COMMANDS, imported=True)
# What small commands do without: each takes longer to import than they do.
LARGE = {"cv2", "matplotlib", "numpy", "onnxruntime", "pymavlink", "scipy"}


def words_of(*words: str) -> str:
    """What the program says, every word of it."""
    ran = CliRunner().invoke(app, words)
    assert ran.output == CliRunner().invoke(IMPORTED, words).output
    return " ".join(ran.output.replace("│", " ").split())


def test_help_names_every_command_as_its_own_docstring_does() -> None:
    said = words_of("--help")
    for command in COMMANDS:
        assert f" {command.name} {command.summary}" in said


def test_it_says_which_version_it_is() -> None:
    said = words_of("--version")
    assert said.startswith("homing") and CliRunner().invoke(app, ["--version"]).exit_code == 0
    assert "--version" in words_of("--help")


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_of_a_command_is_complete(name: str) -> None:
    assert f"{name} [OPTIONS]" in words_of(name, "--help")


def test_commands_in_a_group_and_words_that_are_wrong_are_found() -> None:
    assert "The flight history." in words_of("history", "info", "--help")
    assert "No such command 'sttaus'. Did you mean 'status'?" in words_of("sttaus")
    assert "No such option: --heigth" in words_of("fix", "--heigth")
    assert "Missing argument" in words_of("fix")


def test_a_southern_latitude_is_a_place_and_no_option() -> None:
    ran = CliRunner().invoke(app, ["target", "-33.5,151.2", "--socket", "nowhere.sock"])
    assert "no daemon is running at nowhere.sock" in str(ran.exception)


@pytest.mark.parametrize("words", ["--help", "status --socket nowhere.sock"])
def test_help_and_small_commands_import_no_large_library(words: str) -> None:
    ask = f"import sys; from typer.testing import CliRunner; from runtime.cli.main import app; " \
          f"CliRunner().invoke(app, {words.split()}); print(*sys.modules)"  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=60)
    assert "runtime.cli.main" in ran.stdout.split() and not LARGE & set(ran.stdout.split())
