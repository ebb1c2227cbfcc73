"""One architecture in three spellings, many in one of them, and what denotes none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import SPACE_SIZE, arch_vec, model_hash
from blox_store.dataset.arch_argument import resolve, resolve_one

INDEX = 54_321
VEC = arch_vec(INDEX)


@pytest.mark.parametrize(
    "arch",
    [
        VEC,
        tuple(tuple(tuple(node) for node in cell) for cell in VEC),
        INDEX,
        np.int32(INDEX),
        np.array(INDEX),
        model_hash(VEC),
    ],
    ids=["arch vector", "tuples", "int", "numpy integer", "array of no dimension", "hash"],
)
def test_spellings_of_one(arch: Any) -> None:
    assert resolve(arch) == INDEX
    assert type(resolve_one(arch)) is int


def test_a_raw_arch_vector_means_its_canonical_form() -> None:
    raw = [[[2], [2, 0, 0, 1]], [[1], [0, 1, 0, 0]], [[2], [0, 0, 1, 0]]]
    canonical = [[[0], [2, 0, 1, 0]], [[1], [0, 1, 0, 0]], [[0], [0, 0, 1, 0]]]
    assert resolve(raw) == resolve(canonical)


@pytest.mark.parametrize(
    "archs",
    [[3, 1, 2], (3, 1, 2), [np.int64(3), 1, 2], np.array([3, 1, 2], np.uint16)],
    ids=["list", "tuple", "numpy integers", "array"],
)
def test_many(archs: Any) -> None:
    indices = resolve(archs)
    assert isinstance(indices, np.ndarray)
    assert (indices.dtype, indices.tolist()) == (np.intp, [3, 1, 2])


OTHERS = [arch_vec(index) for index in (0, 91_124)]
HASHES = [model_hash(vec) for vec in (VEC, *OTHERS)]


@pytest.mark.parametrize(
    "archs",
    [
        [VEC, *OTHERS],
        (VEC, *OTHERS),
        [tuple(map(tuple, VEC)), *OTHERS],
        HASHES,
        tuple(HASHES),
        np.array(HASHES),
        np.array(HASHES, object),
    ],
    ids=["vectors", "tuple of vectors", "tuples", "hashes", "tuple", "array", "array of objects"],
)
def test_many_arch_vectors_or_hashes(archs: Any) -> None:
    indices = resolve(archs)
    assert isinstance(indices, np.ndarray)
    assert (indices.dtype, indices.tolist()) == (np.intp, [INDEX, 0, 91_124])


def test_one_arch_vector_in_a_list_is_many() -> None:
    indices = resolve([VEC])
    assert isinstance(indices, np.ndarray)
    assert indices.tolist() == [INDEX]


@pytest.mark.parametrize(
    ("archs", "message"),
    [
        ([VEC, VEC[:2]], "item 1 of the arch vectors: .* a list of 3 cells"),
        ([VEC, 5], "item 1 of the arch vectors: arch vector 5: a list of 3 cells"),
        ([VEC, HASHES[0]], "item 1 of the arch vectors: arch vector '.*': a list of 3 cells"),
        ([VEC, [[[0], [0, 0, 0, 0]], *VEC[1:]]], "item 1 .*: stage 1, .* no path"),
        ([5, VEC], "one-dimensional sequence of one of these is allowed"),
    ],
)
def test_many_of_which_one_is_no_arch_vector(archs: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        resolve(archs)


@pytest.mark.parametrize("arch", [[[]], [[[]]], [[[], []]] * 3, [[[0]]], [VEC[0]], [[VEC[0]], 1]])
def test_nests_that_are_nothing(arch: Any) -> None:
    with pytest.raises(ArchitectureError, match="is allowed"):
        resolve(arch)


@pytest.mark.parametrize("archs", [[], (), range(0), np.zeros(0)])
def test_none_at_all(archs: Any) -> None:
    indices = resolve(archs)
    assert isinstance(indices, np.ndarray)
    assert indices.shape == (0,)


@pytest.mark.parametrize("arch", [None, 1.5, np.float64(1), {}, {1}, object()])
def test_what_is_no_architecture(arch: Any) -> None:
    with pytest.raises(ArchitectureError, match="an arch vector, an arch index, a model hash"):
        resolve(arch)


@pytest.mark.parametrize("index", [-1, SPACE_SIZE, True, [0, -1], [SPACE_SIZE], range(-1, 3)])
def test_indices_out_of_range(index: Any) -> None:
    with pytest.raises(ArchitectureError, match=f"an integer from 0 to {SPACE_SIZE - 1}"):
        resolve(index)


@pytest.mark.parametrize(
    "archs",
    [
        [1.0, 2.0],
        [True, False],
        [model_hash(VEC), 5],
        [5, model_hash(VEC)],
        np.array([model_hash(VEC), None]),
        np.array([[model_hash(VEC)]]),
        [None],
        np.zeros((2, 2), int),
        [2**70],
    ],
)
def test_sequences_of_anything_but_indices(archs: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"array of .* is allowed"):
        resolve(archs)


def test_a_ragged_sequence() -> None:
    with pytest.raises(ArchitectureError, match="one-dimensional sequence") as caught:
        resolve([1, [2, 3]])
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("hash_text", ["", "no hash", "0" * 32])
def test_unknown_hashes(hash_text: str) -> None:
    with pytest.raises(UnknownArchitecture, match="no architecture has it"):
        resolve(hash_text)


def test_an_arch_vector_without_a_path() -> None:
    with pytest.raises(ArchitectureError, match="no path"):
        resolve([[[0], [0, 0, 0, 0]], *VEC[1:]])


def objects(nest: Any) -> np.ndarray[Any, Any]:
    """Return what `np.array` makes of arch vectors, whose innermost lists are of two lengths."""
    return np.array(nest, dtype=object)


def test_arrays_of_objects_mean_what_their_lists_do() -> None:
    every = objects([VEC, *OTHERS])
    assert every.shape == (3, 3, 2)
    assert resolve(every[0]) == resolve(VEC)
    assert np.array_equal(resolve(every), resolve([VEC, *OTHERS]))
    column = np.empty(2, dtype=object)  # as a column of pandas is
    column[:] = [VEC, OTHERS[0]]
    assert np.array_equal(resolve(column), resolve([VEC, OTHERS[0]]))


def test_only_one() -> None:
    with pytest.raises(ArchitectureError, match="2 architectures at once: only one"):
        resolve_one([1, 2])
