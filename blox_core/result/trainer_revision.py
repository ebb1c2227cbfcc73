"""Which code trains, for whoever must know it without loading torch."""

from __future__ import annotations

from typing import Final

TORCH: Final = "torch"  # the trainer of runs that are really trained

# Of trainings of which nobody says by which trainer they were made; ours begin at 1.
UNKNOWN_REVISION: Final = 0

# Changes when the results of a training may, and only then.
TRAINER_REVISION: Final = 3
