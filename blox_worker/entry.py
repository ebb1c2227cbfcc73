"""The `blox` program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from blox_store.program import launch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; without the extra, say how to get it."""
    return launch("blox_worker.commands", program="blox", extra="worker", arguments=arguments)


if __name__ == "__main__":
    sys.exit(main())
