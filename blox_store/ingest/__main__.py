"""Take a release into the store: `python -m blox_store.ingest DIR`."""

from __future__ import annotations

import sys

from blox_store.program import launch

if __name__ == "__main__":
    program = f"python -m {__package__}"
    sys.exit(launch("blox_store.ingest.command", program=program, extra="store"))
