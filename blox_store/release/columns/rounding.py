"""Python's rounding to decimals, of whole arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Below it a product of a double is off by less than half of _NEAR, so a tie cannot be missed.
_LARGEST_SCALED: Final = 2.0**32
_NEAR: Final = 1e-6


def round_decimals(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Return `round(value, decimals)` of every double, equal to the last bit.

    A quotient of a whole number and a power of ten is the double of that decimal number, which is
    what Python gives. Only where the product by the power of ten is close to a tie, or is large or
    not finite, Python itself is asked (3.5e-6 is below the tie, its product by a million on it).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.asarray(values) * 10.0**decimals
        is_clear = np.abs(np.abs(scaled - np.rint(scaled)) - 0.5) > _NEAR
    rounded: NDArray[np.float64] = np.rint(scaled) / 10.0**decimals
    doubtful = ~(is_clear & (np.abs(scaled) < _LARGEST_SCALED))
    rounded[doubtful] = [round(value, decimals) for value in values[doubtful].tolist()]
    return rounded
