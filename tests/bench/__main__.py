"""``make bench``: every benchmark table, or those that are named: ``python -m tests.bench [NAME ...]``."""

from __future__ import annotations

import subprocess
import sys

# Shortest first; each is a module of this folder with its own options and its own account of what it measures.
BENCHES = (
    "gpu", "link_cpu", "link_faults", "tag_field", "fixlogs", "fuzz_link", "odometry", "search", "hardness", "heads",
    "map_scale", "export", "fix_latency", "daemon", "pipeline", "real_photos", "real_map", "acceptance_grounds",
    "return_seeds", "denied", "takeover", "startup", "stalling_disk",
)  # fmt: skip


def main() -> int:
    """Run them one after the other; the first that fails ends it."""
    names = sys.argv[1:] or list(BENCHES)
    for name in names:
        if name not in BENCHES:
            print(f"there is no benchmark {name}; there are {', '.join(BENCHES)}.", file=sys.stderr)
            return 2
        print(f"\n== {name} ==", flush=True)
        status = subprocess.run([sys.executable, "-m", f"tests.bench.{name}"]).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
