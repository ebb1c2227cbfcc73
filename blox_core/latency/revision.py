"""Which code measures, for whoever must know it without loading torch."""

from __future__ import annotations

from typing import Final

LATENCY: Final = "latency"  # the trainer of runs that measure, and train nothing

# Changes when latencies may, and only then.
LATENCY_REVISION: Final = 1
