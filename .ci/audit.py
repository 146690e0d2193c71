"""What this environment is made of: ``python .ci/audit.py CONSTRAINTS``, without a network.

Checked: nothing that is installed is at another version than CONSTRAINTS pins, what flies has what it asks for (`uv pip
check`), and is under licences that let it be flown. What has no pin or names no licence is told. Known vulnerabilities
are not looked up here, and the last line says so: `make audit` asks a database, which takes a network and minutes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_OURS = "homing"
_FLIES = ("", "cpu")  # the extras of Homing that go onto the drone
_NOT_PINNED = {_OURS, "pip", "setuptools", "wheel"}  # come with the environment itself
# What flies is loaded into our process: the GPL and what restricts use are not to be among it.
_FORBIDDEN = re.compile(
    r"(?<!L)(?<!Lesser )\bA?GPL|(?<!Lesser )General Public|Commons Clause|SSPL|Non-?Commercial", re.IGNORECASE
)


def pinned(path: Path) -> dict[str, str]:
    """Name → version, of the lines that hold on this Python."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate():
            found[canonicalize_name(one.name)] = str(one.specifier).removeprefix("==")
    return found


def other_versions(installed: Iterable[Distribution], pins: dict[str, str]) -> Iterator[str]:
    """A sentence for each distribution that is at another version than its pin."""
    for one in installed:
        wanted = pins.get(canonicalize_name(one.metadata["Name"]))
        if wanted not in (None, one.version, one.version.partition("+")[0]):
            yield f"{one.metadata['Name']} {one.version} is installed, {wanted} is pinned"


def without_pin(installed: Iterable[Distribution], pins: dict[str, str]) -> set[str]:
    """The names of those that have none."""
    return {canonicalize_name(one.metadata["Name"]) for one in installed} - pins.keys() - _NOT_PINNED


def that_fly(name: str = _OURS, extras: Iterable[str] = _FLIES) -> dict[str, Distribution]:
    """What ``name`` with these extras requires, and what that requires."""
    found: dict[str, Distribution] = {}
    waiting = [(name, tuple(extras))]
    while waiting:
        here, wanted = waiting.pop()
        try:
            one = distribution(here)
        except PackageNotFoundError:
            continue  # `uv pip check` tells of those that are missing
        found[canonicalize_name(here)] = one
        for text in one.requires or ():
            needed = Requirement(text)
            if needed.marker is not None and not any(needed.marker.evaluate({"extra": extra}) for extra in wanted):
                continue
            if canonicalize_name(needed.name) not in found:
                waiting.append((needed.name, ("", *needed.extras)))
    return found


def licence_of(one: Distribution) -> str:
    """In the distribution's own words: an expression, classifiers, or the first line of a text; empty where it says
    nothing."""
    said = one.metadata
    classifiers = [text.split(" :: ")[-1] for text in said.get_all("Classifier") or () if text.startswith("License ::")]
    first = next(iter((said.get("License") or "").strip().splitlines()), "")
    return said.get("License-Expression") or ", ".join(classifiers) or ("" if first == "UNKNOWN" else first)


def forbidden(licence: str) -> bool:
    """Whether a licence, in its own words, leaves no other choice than one that we cannot fly under."""
    return all(_FORBIDDEN.search(choice) for choice in re.split(r"\bOR\b|/", licence)) if licence else False


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def main(words: list[str]) -> int:
    """Print what was found; 1 where something is wrong."""
    installed, pins = list(distributions()), pinned(Path(words[0]))
    wrong = list(other_versions(installed, pins))
    flying = that_fly()
    licences = {name: licence_of(one) for name, one in flying.items() if name != _OURS}
    wrong += [f"{name} flies and is under {said}" for name, said in licences.items() if forbidden(said)]
    check = ("uv", "pip", "check", "--quiet", "--python", sys.executable)
    agree = subprocess.run(check, capture_output=True, text=True)
    wrong += [line for line in agree.stderr.splitlines() if any(f"`{name}`" in line for name in flying)]
    silent = sorted(name for name, said in licences.items() if not said)
    bare = sorted(without_pin(installed, pins))
    print(f"audit: {len(licences)} distributions fly. Without a licence in their metadata: {_listed(silent)}; "
          f"installed without a pin: {_listed(bare)}.")  # fmt: skip
    print("audit: known vulnerabilities were not looked up; `make audit` does, where there is a network.")
    for sentence in wrong:
        print(f"audit: {sentence}.", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
