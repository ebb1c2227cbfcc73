"""Blocks of rows make the table that all rows at once make."""

from __future__ import annotations

from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
import pytest

from blox_store.errors import NotEncodable, ValueRefused
from blox_store.release.columns import Column, FloatColumn, RaggedColumn
from blox_store.release.header import new_header
from blox_store.release.rows import table_of_blocks, table_of_rows

HASH = "0123456789abcdef" * 2
CELL = [[0], [0, 0, 1, 0]]
LOSSES = [[1.5, 2.25], [0.5, 0.125], [3.0, 4.0], [0.000001, 9.0]]


def header_of(kind: Any, *columns: str) -> dict[str, Any]:
    facts = {"base": {"seed": 0, "epochs": 2, "dataset": "cifar100"}, "env": {"seed": 0}}
    facts["ext"] = facts["base"]
    header = new_header(kind, **facts.get(kind, {}))
    return header | {"version": 2, "columns": ["model_hash", *columns]}


def facts_of(column: Column) -> Any:
    """Return everything that a column holds."""
    if isinstance(column, RaggedColumn):
        return column.offsets.tolist(), facts_of(column.items)
    array = column.array()
    return type(column), array.dtype, array.shape, array.tobytes(), repr(column.values())


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("info", "params", [1, 2, 3, 4]),
        ("info", "params", [1, 2, 2**40, 4]),
        ("info", "arch_vec", [[CELL] * 3] * 4),
        ("env", "gpu", ["b", "a", "b", "c"]),
        ("ext", "test_loss", [1.0, 2.0, 3.0, 4.0]),
        ("ext", "test_loss", [1.0, 2.0, 1 / 3, 4.0]),
        ("ext", "test_loss", [-0.0, 2.0, 3.0, 4.0]),
        ("ext", "val_loss", LOSSES),
        ("ext", "val_loss", [*LOSSES[:3], [nan, nan]]),
        ("ext", "val_loss", [*LOSSES[:3], [1.0]]),
        ("ext", "val_loss", [[], *LOSSES[:3]]),
        ("ext", "val_loss", [[1.0], *LOSSES[:3]]),
        ("ext", "val_loss", [[], [], [], []]),
        ("base", "val_top1", [[0.02, 50.0]] * 4),
        ("base", "val_top1", [[0.02, 50.0]] * 3 + [[0.01, 50.0]]),
        ("base", "val_top1", [[0.01], [0.02, 50.0], [0.04], [0.06]]),
    ],
)
@pytest.mark.parametrize("sizes", [(1, 3), (2, 2), (3, 1), (0, 4), (1, 0, 2, 1), (4, 0)])
def test_blocks_are_joined_as_if_they_had_come_at_once(
    kind: str, name: str, values: list[Any], sizes: tuple[int, ...]
) -> None:
    header, rows = header_of(kind, name), [[HASH, value] for value in values]
    bounds = np.cumsum([0, *sizes])
    blocks = [rows[first:last] for first, last in pairwise(bounds)]
    joined, whole = table_of_blocks(header, blocks), table_of_rows(header, rows)
    for column in header["columns"]:
        assert facts_of(joined.columns[column]) == facts_of(whole.columns[column])


def test_no_block_is_a_table_without_rows() -> None:
    header = header_of("ext", "val_loss")
    assert table_of_blocks(header, []).rows() == table_of_blocks(header, [[], []]).rows() == []


def test_one_block_of_doubles_makes_doubles_of_the_others() -> None:
    table = table_of_blocks(header_of("ext", "test_loss"), [[[HASH, 1.5]], [[HASH, 1 / 3]]])
    assert isinstance(table.columns["test_loss"], FloatColumn)
    assert table.columns["test_loss"].values() == [1.5, 1 / 3]


def test_a_refused_value_is_named_by_its_row_in_the_table() -> None:
    blocks = [[[HASH, 1.5]] * 3, [[HASH, 1.5], [HASH, "x"]]]
    with pytest.raises(ValueRefused, match="row 4, column test_loss: got 'x'") as caught:
        table_of_blocks(header_of("ext", "test_loss"), blocks)
    assert caught.value.row == 4
    with pytest.raises(NotEncodable, match="row 5: a list of 2 values is needed"):
        table_of_blocks(header_of("ext", "test_loss"), [[[HASH, 1.5]] * 5, [[HASH]]])
