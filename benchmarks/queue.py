"""Benchmarks of the queue and of the store behind it; `benchmarks/README.md` says how."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's folder stands first on the path, where the name of this one hides Python's `queue`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.suite.queue.command import BENCHMARK

    sys.exit(BENCHMARK.main())
