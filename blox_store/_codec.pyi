from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

MAX_LIST: int  # items of a list whose length has four bytes
MAX_TEXT_BYTES: int  # of a string whose length has four bytes

class CodecError(ValueError):
    """A payload or a value that breaks the format: args are the message and the byte offset."""

    args: tuple[str, int]

class Field:
    """The type of one column: kind is hash, int, u8, float, f8, str, text, arch or counts.

    `length_bytes` is 1 or 4 for lists; the numbers belong to the kind counts.
    """

    def __init__(
        self,
        *,
        kind: str,
        length_bytes: int = ...,
        minimum: int = ...,
        bits: int = ...,
        images: int = ...,
    ) -> None: ...

# The items of a column back to back, the offsets of its lists (rows + 1) or None, its strings or
# None. Items: hash u1 (n, 16), arch u1 (n, 3), int, float (millionths), str and text (places in the
# strings) u4 (n,), u8 u8 (n,), f8 f8 (n,), counts (numbers of correct images) u2 (n,), u4 where a
# field has over 65535 images.
_Column: TypeAlias = tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...] | None]

class Decoder:
    """Takes an inflated payload in pieces; bounds the rows, and the bytes that all columns take."""

    def __init__(self, fields: Sequence[Field], *, max_rows: int, max_bytes: int) -> None: ...
    def feed(self, piece: bytes) -> None: ...
    def finish(self) -> tuple[int, list[_Column]]: ...

# The payload's bytes of some rows, without what stands before the first row.
def encode(rows: int, fields: Sequence[Field], columns: Sequence[_Column]) -> bytes: ...
