"""Runs the exchanges with an autopilot and prints the facts: ``python -m tests.sim.conformance builtin|ardupilot|px4``.

A real one is started from the binary that HOMING_ARDUCOPTER or HOMING_PX4 names. With ``--write`` the facts become
the recorded ones, which the tests compare with and the page `docs/conformance.md` is made of.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.sim.conformance.facts import NAMES, gathered, write


def main() -> None:
    """One autopilot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("autopilot", choices=NAMES)
    parser.add_argument("--write", action="store_true", help="keep the facts as the recorded ones")
    options = parser.parse_args()
    facts = gathered(options.autopilot, lambda name: print(name, file=sys.stderr, flush=True))
    print(json.dumps(facts, indent=1))
    if options.write:
        write(options.autopilot, facts)


if __name__ == "__main__":
    main()
