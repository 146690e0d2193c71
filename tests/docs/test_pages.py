"""The pages hold together: links lead somewhere, commands and modules that they name exist, the README stays short."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")  # training's commands are among them

from docs.generate.commands import options  # noqa: E402
from runtime.guidance.reasons import Reason  # noqa: E402

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def code(page: Path) -> Iterator[str]:
    """Lines of its code blocks and its code words."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^ *```\n(.*?)^ *```$", text)
    yield from (line for block in blocks for line in block.splitlines())
    yield from re.findall(r"`([^`]+)`", re.sub(r"(?ms)^ *```\n.*?^ *```$", "", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        generated = page.parent.name == "docs" and link.startswith("api/")  # by the site's hook; mkdocs checks these
        assert generated or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page: Path) -> None:
    known = options()
    for line in code(page):
        for command in re.split(r"&&|   ", line.split("#")[0]):
            words = command.replace("sudo -u homing ", "").split()
            if not words or not re.fullmatch(r"homing(-\w+)?", words[0]) or "|" in command or "…" in command:
                continue
            assert not _unknown_subcommand(words, known), command
            path = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in known), None)
            given = {word.split("=")[0] for word in words if re.fullmatch(r"--[\w-]+(=.*)?", word)}
            if path is None:  # a program, or a group of commands, is spoken of
                assert not given or words[0] == "homing-sim", command
                continue
            assert given <= known[path] | {"--help"}, command


def _unknown_subcommand(words: list[str], known: Iterable[str]) -> bool:
    """Whether a program or a group of commands is followed by a word that is none of its commands."""
    paths = [command.split() for command in known]
    depth = max((n for n in (1, 2, 3) if any(path[:n] == words[:n] for path in paths)), default=0)
    children = {path[depth] for path in paths if path[:depth] == words[:depth] and len(path) > depth}
    following = words[depth] if depth < len(words) else ""
    return bool(children) and re.fullmatch(r"[a-z]+", following) is not None and following not in children


def test_a_command_that_is_gone_is_noticed() -> None:
    assert _unknown_subcommand(["homing-sim", "calibrate", "--pair", "map"], options())
    assert not _unknown_subcommand(["homing-sim", "acceptance"], options())
    assert not _unknown_subcommand(["homing", "history", "list", "town.db"], options())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """`guidance/checks.py` of runtime, or a path from the root."""
    prose = re.sub(r"(?ms)^<!-- generated.*?^<!-- end -->$", "", page.read_text(encoding="utf-8"))
    for name in re.findall(r"`((?:\w+/)+\w*\.?(?:py|toml|md)|(?:runtime|sim|train|export|tests)(?:/\w+)+/?)`", prose):
        assert (ROOT / name).exists() or (ROOT / "runtime" / name).exists() or name.startswith("out/"), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_run_exist(page: Path) -> None:
    for name in re.findall(r"python -m ((?:tests|train|sim|docs|runtime|export)[\w.]*)", page.read_text("utf-8")):
        path = ROOT / Path(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_every_reason_for_not_commanding_is_explained() -> None:
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^\| `(\w+)` \|", page) == [reason.value for reason in Reason]


def test_the_readme_is_one_page() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert (ROOT / "docs" / "assets" / "denied.jpg").stat().st_size <= 400_000
