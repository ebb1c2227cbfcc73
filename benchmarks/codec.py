"""Benchmarks of release files: reading, querying, encoding and cutting them; `benchmarks/README.md` says how."""

import sys
from pathlib import Path

# A script's folder stands first on the path, where the name of `queue.py` hides Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    from benchmarks.suite.codec.command import main

    main()
