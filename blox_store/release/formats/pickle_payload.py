"""The payload of a `.pickle` file: one pickled list of rows, written block by block.

A pickle of a list is the opcode for an empty list and then, for every batch of its items, their
pickles and an opcode that appends them. So the pickle of each block, without its own beginning and
end, is a piece of the pickle of all of them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NoReturn

from blox_store.errors import ReleaseCorrupt
from blox_store.release.table import Table

_BEGIN = b"\x80\x04]"  # protocol 4, an empty list
_END = b"."
_BLOCK_PROTOCOL = 3  # the newest without frames, whose lengths would span more than a block
_BLOCK_BEGIN = b"\x80\x03]"
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


def read_rows(data: bytes) -> list[Any]:
    """Return the list that a pickle holds; `ReleaseCorrupt` for anything but plain values."""
    rows = _load_plain(data)
    if not isinstance(rows, list):
        raise ReleaseCorrupt(f"the pickle holds a {type(rows).__name__}, not a list of rows")
    return rows


def write_rows(blocks: Iterable[Table]) -> Iterator[bytes]:
    """Yield the pickle of the list of all rows in pieces."""
    yield _BEGIN
    for block in chain.from_iterable(table.blocks() for table in blocks):
        pickled = io.BytesIO()
        pickler = pickle.Pickler(pickled, _BLOCK_PROTOCOL)
        pickler.fast = True  # without a memo, whose numbers would be those of another block
        pickler.dump(block.rows())
        yield pickled.getvalue().removeprefix(_BLOCK_BEGIN).removesuffix(_END)
    yield _END


def _load_plain(data: bytes) -> Any:
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


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every name: without one, a pickle can call nothing."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no release needs")
