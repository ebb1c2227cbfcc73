"""Training time that a simulated search is charged."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

import numpy as np

from blox_store.errors import BudgetSpent, QueryError

_NUMBERS = (int, float, np.integer, np.floating)


class Simulated(NamedTuple):
    """What a search sees of one training.

    `val_acc` is the validation accuracy (percent) after the last epoch of it, `train_time_s` what it
    took, `used_s` what its budget has been charged so far, this training included, and `seed` the
    seed of the training, for further queries about it.
    """

    val_acc: float
    train_time_s: float
    used_s: float
    seed: int


def checked_budget(budget: Any) -> Budget:
    """Return a budget; raise QueryError for anything else, such as its seconds."""
    if not isinstance(budget, Budget):
        raise QueryError(
            f"budget {budget!r}: a blox.Budget is allowed, such as Budget(limit_s=3600)"
        )
    return budget


class Budget:
    """Seconds of training that a search may use: `limit_s` in all, of which `used_s` are gone."""

    def __init__(self, limit_s: float = inf) -> None:
        if isinstance(limit_s, bool) or not isinstance(limit_s, _NUMBERS) or not limit_s >= 0:
            raise QueryError(f"budget of {limit_s!r} s: a number of 0 or more is allowed")
        self.limit_s = limit_s
        self.used_s = 0.0

    @property
    def left_s(self) -> float:
        """The seconds that may still be used."""
        return self.limit_s - self.used_s

    def charge(self, seconds: float) -> float:
        """Take seconds from the budget and return what is used now.

        Raises BudgetSpent, and takes nothing, if less is left.
        """
        if seconds > self.left_s:
            raise BudgetSpent(
                f"a training of {seconds:.0f} s, and {self.left_s:.0f} s of the budget of "
                f"{self.limit_s:.0f} s are left: end the search here, train fewer epochs, or call "
                "`reset()` of the budget"
            )
        self.used_s += seconds
        return self.used_s

    def reset(self) -> None:
        """Begin again with nothing used."""
        self.used_s = 0.0

    def __repr__(self) -> str:
        return f"Budget(limit_s={self.limit_s:g}, used_s={self.used_s:g})"
