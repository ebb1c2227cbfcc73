import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blox_store.errors import StoreError
from blox_store.store.results.curves import (
    LAYOUTS,
    pack_curves,
    pack_many,
    unpack_curves,
    unpack_many,
)

EPOCHS = 3


def pack(top=10, loss=1.5):
    counts = [np.array([0, 1, top])] * 4
    return pack_curves(counts, [np.array([0.25, 1.0, loss])] * 2)


@pytest.mark.parametrize(
    ("top", "loss", "layout"),
    [
        (65_535, 4294.967295, 1),
        (65_536, 0.0, 2),
        (2**32 - 1, 1.0, 2),
        (65_535, 4294.967296, 3),
        (0, np.nan, 3),
        (0, np.inf, 3),
        (0, -0.000001, 3),
        (0, 1e305, 3),
        (65_536, -np.inf, 4),
    ],
)
def test_the_smallest_layout_that_holds_the_curves_is_taken(top, loss, layout):
    packed = pack(top, loss)
    assert packed.layout == layout
    counts, losses = unpack_curves(packed.layout, packed.blob, EPOCHS)
    assert counts.tolist() == [[0, 1, top]] * 4
    np.testing.assert_array_equal(losses, [[0.25, 1.0, loss]] * 2)


def test_the_bytes_are_counts_and_then_millionths_little_endian():
    packed = pack_curves(
        [np.array([1]), np.array([2]), np.array([3]), np.array([258])],
        [np.array([0.000001]), np.array([1.0])],
    )
    assert packed.blob.hex() == "01000200030002010100000040420f00"


@given(hnp.arrays(np.float64, (2, 5), elements=st.floats(-10, 5000)))
def test_losses_come_back_as_python_rounds_them(losses):
    counts = [np.zeros(5, np.int64)] * 4
    packed = pack_curves(counts, list(losses))
    _, read = unpack_curves(packed.layout, packed.blob, 5)
    assert read.tolist() == [[round(loss, 6) for loss in row] for row in losses.tolist()]


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(StoreError, match="counts from 0 to 4294967296: 0 to 4294967295"):
        pack(2**32)


def test_a_damaged_row_is_refused():
    packed = pack()
    with pytest.raises(StoreError, match=r"curves of 47 bytes: 3 epochs in layout 1 are 48 bytes"):
        unpack_curves(1, packed.blob[:-1], EPOCHS)
    with pytest.raises(StoreError, match="curves of layout 9: 1, 2, 3, 4 are allowed"):
        unpack_curves(9, packed.blob, EPOCHS)


def curves_of(epochs, top=10, loss=1.5):
    """Return the packed curves of a result whose last count and loss are these."""
    counts = [np.arange(epochs) + row for row in range(4)]
    losses = [np.linspace(0, 2, epochs) + row for row in range(2)]
    if epochs:
        counts[3][-1], losses[1][-1] = top, loss
    return pack_curves(counts, losses)


@pytest.mark.parametrize(
    "packed",
    [
        [curves_of(3), curves_of(3)],
        [curves_of(3), curves_of(1), curves_of(0), curves_of(2)],
        [curves_of(3, top=70_000), curves_of(3)],
        [curves_of(3), curves_of(2, loss=np.nan), curves_of(3, top=70_000, loss=np.inf)],
        [curves_of(0)],
    ],
)
def test_many_are_unpacked_as_one_by_one(packed):
    layouts = [curves.layout for curves in packed]
    epochs = [len(curves.blob) // LAYOUTS[curves.layout].blob_bytes(1) for curves in packed]
    unpacked = unpack_many(layouts, epochs, [curves.blob for curves in packed], width=4)
    assert [curve.shape for curve in unpacked] == [(len(packed), 4)] * 6
    for row, (curves, length) in enumerate(zip(packed, epochs, strict=True)):
        counts, losses = unpack_curves(curves.layout, curves.blob, length)
        for found, one in zip(unpacked, [*counts, *losses], strict=True):
            values = (
                found[row] / 1e6
                if found.dtype == np.uint32 and one.dtype.kind == "f"
                else found[row]
            )
            np.testing.assert_array_equal(values[:length], one)
            assert not values[length:].any()


def test_the_smallest_types_that_hold_all_of_a_block():
    small = unpack_many([1], [3], [curves_of(3).blob], width=3)
    assert [curve.dtype.str for curve in small] == ["<u2"] * 4 + ["<u4"] * 2
    packed = [curves_of(3, top=70_000), curves_of(3, loss=np.nan)]
    both = unpack_many([2, 3], [3, 3], [curves.blob for curves in packed], width=3)
    assert [curve.dtype.str for curve in both] == ["<u4"] * 4 + ["<f8"] * 2


@pytest.mark.parametrize(
    ("layout", "epochs", "message"),
    [
        (9, 3, "curves of layout 9: 1, 2, 3, 4 are allowed"),
        (1, 2, "curves of 48 bytes: 2 epochs in layout 1 are 32 bytes; the row is damaged"),
        (1, 5, "curves of 5 epochs: at most 4 are allowed"),
    ],
)
def test_many_of_which_one_is_damaged(layout, epochs, message):
    blob = curves_of(3).blob
    with pytest.raises(StoreError, match=message):
        unpack_many([1, layout], [3, epochs], [blob, blob], width=4)


def test_many_are_packed_as_one_by_one():
    counts = [np.array([[1, 2], [3, 65_535]]) for _ in range(4)]
    millionths = [np.array([[1, 2_000_000], [0, 2**32 - 1]], np.uint32)] * 2
    packed = pack_many(counts, millionths)
    for row, found in enumerate(packed):
        losses = [curve[row] / 1e6 for curve in millionths]
        assert found == pack_curves([curve[row] for curve in counts], losses)
    with pytest.raises(StoreError, match="counts of over 65535"):
        pack_many([np.array([[65_536]])] * 4, [np.zeros((1, 1), np.uint32)] * 2)
