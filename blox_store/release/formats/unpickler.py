"""Unpickling that admits nothing but plain containers, strings and numbers."""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

from blox_store.errors import ReleaseCorrupt

# What the unpickler raises for bytes that are no pickle, besides its own error.
_FAILURES = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every name: without one, a pickle can call nothing."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no release needs")


def load_plain(data: bytes) -> Any:
    """Return the one pickled value that `data` holds, made of lists, strings, numbers and the like.

    Raises `ReleaseCorrupt` for a pickle that asks for anything else, and for what is no pickle.
    """
    stream = io.BytesIO(data)
    try:
        value = _PlainUnpickler(stream).load()
    except _FAILURES as error:
        reason = " ".join(str(error).split())  # some take several lines
        raise ReleaseCorrupt(f"the payload is no plain pickle: {reason}") from error
    if stream.read(1):
        raise ReleaseCorrupt("bytes follow the end of the pickle")
    return value
