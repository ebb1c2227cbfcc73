"""Benchmark of cutting a release; `benchmarks/README.md` says how."""

import sys
from pathlib import Path

# A script's folder stands first on the path; the packages are in the one above.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    from benchmarks.export_command import main

    main()
