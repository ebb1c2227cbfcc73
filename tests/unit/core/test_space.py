import hashlib
import json

import numpy as np
import pytest

from blox_core import space
from blox_core.errors import ArchitectureError, BloxError, UnknownArchitecture
from blox_core.space import hash_table, make_hashes
from blox_core.space.graph import graph_hash, minimal, model_graph

HASHES_DIGEST = "8b49f98f2af6adf64d17f90274f9080e22c21e435ed44f00e9824b061efa8756"
ARCH_VECS_DIGEST = "9eab9f5c81584d3b04a97f62fde41df242d026111ff8228d377cb93fa8ad0fa5"
GOOD_CELL = [[0], [0, 1, 0, 0]]


def test_the_45_cells_stand_in_the_published_order(golden):
    cells = json.loads((golden / "cells.json").read_text())
    assert [space.arch_vec(index)[0] for index in range(45)] == cells
    assert space.arch_vec(3 + 45 * 44 + 2025 * 7) == [cells[3], cells[44], cells[7]]


@pytest.mark.slow
def test_all_arch_vectors_have_the_published_digest():
    archs = [space.arch_vec(index) for index in range(space.SPACE_SIZE)]
    text = json.dumps(archs, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == ARCH_VECS_DIGEST


def test_all_hashes_have_the_published_digest_and_are_distinct(golden):
    hashes = space.all_hashes()
    text = "".join(f"{model_hash}\n" for model_hash in hashes)
    assert hashlib.sha256(text.encode()).hexdigest() == HASHES_DIGEST
    assert len(set(hashes)) == space.SPACE_SIZE == 91_125
    for index, model_hash in json.loads((golden / "hashes.json").read_text()).items():
        assert hashes[int(index)] == model_hash


@pytest.mark.parametrize("seed", [6, 7])
def test_rows_of_the_packaged_table_are_what_its_generator_makes(seed):
    for index in space.random_indices(500, seed):
        row = hash_table.load()[16 * index : 16 * index + 16]
        assert make_hashes.digest(index) == row


@pytest.mark.slow
def test_the_packaged_table_is_what_its_generator_makes():
    assert make_hashes.generate() == hash_table.load()


def test_every_index_survives_the_way_to_an_arch_vector_and_a_hash():
    for index in range(0, space.SPACE_SIZE, 7):
        architecture = space.Architecture(index)
        assert space.index_of(architecture.arch_vec) == index
        assert space.index_of_hash(architecture.model_hash) == index


def test_raw_arch_vectors_resolve_as_published(golden):
    for alias in json.loads((golden / "aliases.json").read_text())["aliases"]:
        assert space.index_of(alias["arch_vec"]) == alias["index"]
        assert space.model_hash(alias["arch_vec"]) == alias["hash"]
        assert space.arch_vec(alias["index"]) == alias["canonical"]


def test_raw_arch_vectors_hash_by_their_own_graph_as_their_canonical_ones_do():
    rng = np.random.default_rng(5)
    raw = list(space.raw_cells())
    for _ in range(300):
        cells = [raw[number] for number in rng.integers(len(raw), size=3)]
        graph = minimal(model_graph(cells))
        if any(space.canonical_cell(cell) is None for cell in cells):
            assert graph is None
        else:
            vector = [[[op1], rest] for op1, *rest in cells]
            assert graph is not None
            assert graph_hash(graph) == space.model_hash(vector)


def test_raw_arch_vectors_without_a_path_are_refused(golden):
    for vector in json.loads((golden / "aliases.json").read_text())["invalid"]:
        with pytest.raises(ArchitectureError, match=r"stage \d, cell .* no path"):
            space.index_of(vector)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (None, "arch vector None: a list of 3 cells"),
        ("abc", "arch vector 'abc': a list of 3 cells"),
        (5, "arch vector 5: a list of 3 cells"),
        ({0: GOOD_CELL}, "a list of 3 cells"),
        ([GOOD_CELL, GOOD_CELL], "a list of 3 cells"),
        ([GOOD_CELL, GOOD_CELL, None], r"stage 3, cell None: \[\[op1\], \["),
        ([GOOD_CELL, "ab", GOOD_CELL], r"stage 2, cell 'ab': \[\[op1\], \["),
        ([[0, [0, 1, 0, 0]], GOOD_CELL, GOOD_CELL], r"stage 1, cell .*: \[\[op1\], \["),
        ([GOOD_CELL, [[0], [0, 1, 0]], GOOD_CELL], r"stage 2, cell .*: \[\[op1\], \["),
        ([GOOD_CELL, [[0], [0, 1, 0, 0, 0]], GOOD_CELL], r"stage 2, cell .*: \[\[op1\], \["),
        ([GOOD_CELL, [[0, 0], [0, 1, 0, 0]], GOOD_CELL], r"stage 2, cell .*: \[\[op1\], \["),
        ([[{0}, [0, 1, 0, 0]], GOOD_CELL, GOOD_CELL], r"stage 1, cell .*: \[\[op1\], \["),
        ([GOOD_CELL, GOOD_CELL, [[3], [0, 1, 0, 0]]], r"stage 3, .* op1 is 3; 0 \(conv\)"),
        ([GOOD_CELL, GOOD_CELL, [[0], [-1, 1, 0, 0]]], r"stage 3, .* op2 is -1; 0 \(conv\)"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0, 2, 0, 0]]], "prev is 2; 0 or 1"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0, 1, -1, 0]]], "input is -1; 0 or 1"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0, 1, 0, 9]]], "skip is 9; 0 or 1"),
        ([GOOD_CELL, GOOD_CELL, [[True], [0, 1, 0, 0]]], "op1 is True, a bool"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0, np.True_, 0, 0]]], "prev is .*True.*, a bool"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0.0, 1, 0, 0]]], "op2 is 0.0, a float"),
        ([GOOD_CELL, GOOD_CELL, [["0"], [0, 1, 0, 0]]], "op1 is '0', a str"),
        ([GOOD_CELL, GOOD_CELL, [[None], [0, 1, 0, 0]]], "op1 is None, a NoneType"),
        ([GOOD_CELL, GOOD_CELL, [[[0]], [0, 1, 0, 0]]], r"op1 is \[0\], a list"),
        ([GOOD_CELL, GOOD_CELL, [[0], [0, 0, 0, 0]]], "stage 3, .* no path"),
    ],
)
def test_a_malformed_arch_vector_is_one_clear_error(vector, message):
    for function in (space.index_of, space.model_hash):
        with pytest.raises(ArchitectureError, match=message) as caught:
            function(vector)
        assert isinstance(caught.value, BloxError)
        assert isinstance(caught.value, ValueError)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [bool, float, np.bool_, np.float64])
@pytest.mark.parametrize("field", range(5))
def test_what_equals_an_integer_is_none(field, kind):
    fields = [1, 0, 1, 0, 1]
    assert space.index_of([[fields[:1], fields[1:]], GOOD_CELL, GOOD_CELL]) >= 0
    fields[field] = kind(fields[field])
    with pytest.raises(ArchitectureError, match=f"a {kind.__name__}; an integer is allowed"):
        space.index_of([[fields[:1], fields[1:]], GOOD_CELL, GOOD_CELL])


def test_a_long_wrong_arch_vector_is_shortened_in_the_message():
    with pytest.raises(ArchitectureError) as caught:
        space.index_of([0] * 1000)
    assert len(str(caught.value)) < 250


def test_tuples_and_numpy_integers_are_accepted():
    plain = space.arch_vec(4711)
    assert space.index_of(tuple((tuple(a), tuple(b)) for a, b in plain)) == 4711
    as_numpy = [[[np.int64(a[0])], list(np.array(b, np.uint8))] for a, b in plain]
    assert space.index_of(as_numpy) == 4711


def test_raw_cells_are_checked_but_need_no_path():
    dead = [[[1], [2, 0, 0, 0]], GOOD_CELL, GOOD_CELL]
    assert space.raw_architecture(dead)[0] == (1, 2, 0, 0, 0)
    with pytest.raises(ArchitectureError, match="a list of 3 cells"):
        space.raw_architecture([GOOD_CELL])
    with pytest.raises(ArchitectureError, match=r"stage 1.*op1 is 3"):
        space.raw_architecture([[[3], [0, 0, 0, 0]], GOOD_CELL, GOOD_CELL])


@pytest.mark.parametrize("index", [-1, 91_125, True, 1.0, "7", None])
def test_an_index_outside_the_space_is_an_error(index):
    with pytest.raises(ArchitectureError, match="an integer from 0 to 91124"):
        space.arch_vec(index)
    with pytest.raises(ArchitectureError, match="an integer from 0 to 91124"):
        space.Architecture(index)


def test_an_architecture_is_a_frozen_value():
    architecture = space.Architecture(np.int64(18_281))
    assert architecture == space.Architecture(18_281)
    assert type(architecture.index) is int
    assert architecture.cells == ((0, 2, 0, 1, 0), (1, 0, 1, 0, 0), (0, 0, 0, 1, 0))
    assert architecture.arch_vec == [[[0], [2, 0, 1, 0]], [[1], [0, 1, 0, 0]], [[0], [0, 0, 1, 0]]]
    with pytest.raises(AttributeError):
        architecture.index = 3


@pytest.mark.parametrize("model_hash", ["0" * 32, "xyz", "", None, 7, b"", "0" * 31])
def test_an_unknown_hash_is_one_clear_error(model_hash):
    with pytest.raises(UnknownArchitecture, match="no architecture has it; a model hash is 32 hex"):
        space.index_of_hash(model_hash)


def test_digests_are_looked_up_in_one_go():
    table = np.frombuffer(hash_table.load(), np.uint8).reshape(-1, 16)
    rows = [5, 91_124, 0, 40_000]
    assert space.indices_of_digests(table[rows]).tolist() == rows
    assert space.indices_of_digests(table[rows] ^ 1).tolist() == [-1] * 4
    of_another = np.hstack([table[rows, :8], table[[1, 2, 3, 4], 8:]])
    assert space.indices_of_digests(of_another).tolist() == [-1] * 4
    assert space.indices_of_digests(np.full((1, 16), 255, np.uint8)).tolist() == [-1]
    assert space.indices_of_digests(np.empty((0, 16), np.uint8)).tolist() == []


def test_the_first_halves_of_the_digests_are_distinct():
    first, index_of_first = hash_table.first_halves()
    assert (first[1:] > first[:-1]).all()
    assert (hash_table.halves()[index_of_first, 0] == first).all()


def test_random_indices_are_distinct_and_come_from_default_rng():
    drawn = space.random_indices(1000, seed=3)
    assert drawn == space.random_indices(1000, seed=3) != space.random_indices(1000, seed=4)
    assert len(set(drawn)) == 1000
    assert drawn == np.random.default_rng(3).choice(91_125, 1000, replace=False).tolist()
    assert all(type(index) is int for index in drawn)
    assert space.random_indices(0, seed=1) == []
    assert sorted(space.random_indices(91_125, seed=1)) == list(range(91_125))


@pytest.mark.parametrize("n", [-1, 91_126, 1.5, True, None])
def test_more_random_indices_than_architectures_are_an_error(n):
    with pytest.raises(ArchitectureError, match="an integer from 0 to 91125"):
        space.random_indices(n, seed=0)


@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_a_seed_that_is_none(seed):
    with pytest.raises(ArchitectureError, match="an integer of 0 or more, or None, is allowed"):
        space.random_indices(1, seed)
