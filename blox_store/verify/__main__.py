"""Check the files of a release: `python -m blox_store.verify DIR`."""

from __future__ import annotations

import sys

from blox_store.program import launch

if __name__ == "__main__":
    program = f"python -m {__package__}"
    sys.exit(launch("blox_store.verify.command", program=program, extra="store"))
