"""The rendered flight is the simulator's: without it (JetPack's environment holds none) it cannot be made."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("numba") else ["test_flight.py"]
