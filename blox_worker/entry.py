"""The `blox` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from blox_store.program import launch

_ORDER: Final = "CUDA_DEVICE_ORDER"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; without the extra, say how to get it."""
    # As nvidia-smi counts GPUs, and so do our options and locks; CUDA itself has the fastest first.
    os.environ.setdefault(_ORDER, "PCI_BUS_ID")
    return launch("blox_worker.commands", program="blox", extra="worker", arguments=arguments)


if __name__ == "__main__":
    sys.exit(main())
