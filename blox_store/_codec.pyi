from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

class CodecError(ValueError):
    """A payload or a value that breaks the format: args are the message and the byte offset."""

    args: tuple[str, int]

class Field:
    """The type of one column: kind is hash, int, float, str, arch or b (quantised)."""

    def __init__(
        self,
        *,
        kind: str,
        is_list: bool = ...,
        minimum: int = ...,
        bits: int = ...,
        images: int = ...,
    ) -> None: ...

# The items of a column back to back, the offsets of its lists (rows + 1) or None, its strings or
# None. Items: hash u1 (n, 16), arch u1 (n, 3), int, float (millionths) and str (codes) u4 (n,),
# b (numbers of correct images) u2 (n,), u4 where a field has over 65535 images.
_Column: TypeAlias = tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...] | None]

def decode(payload: bytes, fields: Sequence[Field]) -> tuple[int, list[_Column]]: ...
def encode(rows: int, fields: Sequence[Field], columns: Sequence[_Column]) -> bytes: ...
