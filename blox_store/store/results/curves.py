"""The curves of one result as one little-endian blob.

The blob holds `train_top1, train_top5, val_top1, val_top5` and then `train_loss, val_loss`, each
one element per epoch. Counts are u2 (u4 in layouts 2 and 4), losses u4 millionths (f8 in layouts
3 and 4, which hold NaN, infinities and losses of 4294.967296 and more).
One blob streams from PostgreSQL at 52,000 rows/s, `REAL[]` or JSONB at 2,800.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blox_store.errors import StoreError

COUNTS: Final = ("train_top1", "train_top5", "val_top1", "val_top5")
LOSSES: Final = ("train_loss", "val_loss")
LOSS_DECIMALS: Final = 6
_MILLION: Final = 1_000_000


class Layout(NamedTuple):
    """The numpy types of counts and of losses in a blob."""

    counts: str
    losses: str

    def blob_bytes(self, epochs: int) -> int:
        """Return the size of a blob of this layout."""
        sizes = len(COUNTS) * np.dtype(self.counts).itemsize
        return epochs * (sizes + len(LOSSES) * np.dtype(self.losses).itemsize)


LAYOUTS: Final = {
    1: Layout("<u2", "<u4"),
    2: Layout("<u4", "<u4"),
    3: Layout("<u2", "<f8"),
    4: Layout("<u4", "<f8"),
}


@dataclass(frozen=True, kw_only=True)
class PackedCurves:
    """A blob and the number of its layout."""

    layout: int
    blob: bytes


def rounded_loss(loss: float) -> float:
    """Return a loss as the store keeps it, rounded to 6 decimals; NaN and infinities stay."""
    return round(loss, LOSS_DECIMALS)


def pack_curves(counts: list[NDArray[np.int64]], losses: list[NDArray[np.float64]]) -> PackedCurves:
    """Return the blob of the curves, in the order of COUNTS and LOSSES, in the smallest layout.

    Losses are rounded to 6 decimals here, and nowhere else. Raises StoreError for a count that is
    negative or does not fit in 32 bits.
    """
    count_rows = np.stack(counts)
    loss_rows = np.array([[rounded_loss(loss) for loss in row.tolist()] for row in losses])
    if count_rows.size and not 0 <= count_rows.min() <= count_rows.max() < 2**32:
        raise StoreError(
            f"counts from {count_rows.min()} to {count_rows.max()}: 0 to {2**32 - 1} is allowed"
        )
    with np.errstate(over="ignore"):  # beyond 1.8e302 it is infinite, and so not exact
        millionths = np.rint(loss_rows * _MILLION)
    exact = bool(np.all((millionths >= 0) & (millionths < 2**32)))
    layout = next(
        number
        for number, (count_type, loss_type) in LAYOUTS.items()
        if count_rows.max(initial=0) <= np.iinfo(count_type).max and exact == (loss_type == "<u4")
    )
    types = LAYOUTS[layout]
    held = millionths if exact else loss_rows
    blob = count_rows.astype(types.counts).tobytes() + held.astype(types.losses).tobytes()
    return PackedCurves(layout=layout, blob=blob)


def pack_many(
    counts: Sequence[NDArray[Any]], millionths: Sequence[NDArray[np.uint32]]
) -> list[PackedCurves]:
    """Return the blobs of many curves, (rows, epochs), that fit into the smallest layout.

    Raises StoreError for a count that does not.
    """
    if any(curve.max(initial=0) > np.iinfo(LAYOUTS[1].counts).max for curve in counts):
        raise StoreError("counts of over 65535: layout 1 holds smaller ones")
    parts = [np.ascontiguousarray(curve, LAYOUTS[1].counts) for curve in counts]
    parts += [np.ascontiguousarray(curve, LAYOUTS[1].losses) for curve in millionths]
    rows = np.concatenate([part.view(np.uint8) for part in parts], axis=1)
    return [PackedCurves(layout=1, blob=row.tobytes()) for row in rows]


def unpack_curves(
    layout: int, blob: bytes, epochs: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the counts, int64 (4, epochs), and the losses, float64 (2, epochs), of a blob.

    Raises StoreError for an unknown layout and for a blob of another size.
    """
    types = _checked_layout(layout, len(blob), epochs)
    counts = np.frombuffer(blob, types.counts, count=len(COUNTS) * epochs)
    losses = np.frombuffer(blob, types.losses, offset=counts.nbytes)
    values = losses / _MILLION if types.losses == "<u4" else losses
    return (
        counts.reshape(len(COUNTS), epochs).astype(np.int64),
        values.reshape(len(LOSSES), epochs).astype(np.float64),
    )


def unpack_many(
    layouts: Sequence[int], epochs: Sequence[int], blobs: Sequence[bytes], *, width: int
) -> list[NDArray[Any]]:
    """Return the curves of many blobs, in the order of COUNTS and LOSSES, each (blobs, width).

    A curve of fewer epochs ends in zeros. Counts are uint16, uint32 if any blob has those; losses
    are uint32 millionths, float64 if any blob has those. Raises StoreError as `unpack_curves`
    does, and for a curve of more epochs.
    """
    kinds = sorted({*zip(layouts, epochs, strict=True)})
    counts, losses = _common_types([layout for layout, _ in kinds])
    curves: list[NDArray[Any]] = [np.zeros((len(blobs), width), counts) for _ in COUNTS]
    curves += [np.zeros((len(blobs), width), losses) for _ in LOSSES]
    for layout, length in kinds:
        if length > width:
            raise StoreError(f"curves of {length} epochs: at most {width} are allowed")
        wanted = (layout, length)
        rows = [row for row, kind in enumerate(zip(layouts, epochs, strict=True)) if kind == wanted]
        parts = _views(layout, length, [blobs[row] for row in rows])
        for curve, part in zip(curves, parts, strict=True):
            curve[rows, :length] = _as_type(part, curve.dtype)
    return curves


def _checked_layout(layout: int, blob_bytes: int, epochs: int) -> Layout:
    types = LAYOUTS.get(layout)
    if types is None:
        raise StoreError(f"curves of layout {layout}: {', '.join(map(str, LAYOUTS))} are allowed")
    if blob_bytes != types.blob_bytes(epochs):
        raise StoreError(
            f"curves of {blob_bytes} bytes: {epochs} epochs in layout {layout} are "
            f"{types.blob_bytes(epochs)} bytes; the row is damaged"
        )
    return types


def _common_types(layouts: Sequence[int]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the types that hold the counts and the losses of blobs of all these layouts."""
    types = [LAYOUTS[layout] for layout in layouts if layout in LAYOUTS] or [LAYOUTS[1]]
    counts = np.result_type(*(np.dtype(kind.counts) for kind in types))
    return counts, np.result_type(*(np.dtype(kind.losses) for kind in types))


def _views(layout: int, epochs: int, blobs: Sequence[bytes]) -> list[NDArray[Any]]:
    """Return the curves of blobs of one kind, (blobs, epochs), as views of their bytes."""
    types = _checked_layout(layout, len(blobs[0]), epochs)
    for blob in blobs:
        _checked_layout(layout, len(blob), epochs)
    held = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), types.blob_bytes(epochs))
    views, at = [], 0
    for name in (*COUNTS, *LOSSES):
        dtype = np.dtype(types.counts if name in COUNTS else types.losses)
        end = at + epochs * dtype.itemsize
        views.append(held[:, at:end].view(dtype))
        at = end
    return views


def _as_type(part: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return counts or losses, millionths as losses where doubles are wanted."""
    return part / _MILLION if dtype.kind == "f" and part.dtype.kind == "u" else part
