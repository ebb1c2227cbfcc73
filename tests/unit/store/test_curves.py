import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blox_store.errors import StoreError
from blox_store.store.curves import pack_curves, unpack_curves

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
