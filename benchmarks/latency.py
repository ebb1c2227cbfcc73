"""Benchmark of latencies: repeatability, prediction, cost; `benchmarks/README.md` says how."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's folder stands first on the path, where the name of `queue.py` hides Python's own.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.suite.latency.command import BENCHMARK

    sys.exit(BENCHMARK.main())
