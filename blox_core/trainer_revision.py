"""Which code trains, for whoever must know it without loading torch."""

from __future__ import annotations

from typing import Final

TORCH: Final = "torch"  # the trainer of runs that are really trained

# Changes when the results of a training may, and only then.
TRAINER_REVISION: Final = 3
