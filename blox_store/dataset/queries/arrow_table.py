"""A data set as a table of Apache Arrow, for pandas, Parquet and all else that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.extras import optional_module
from blox_core.space import Architecture
from blox_store.dataset.lazy_file import ABSENT, HASH, LazyFile, signed
from blox_store.errors import QueryError
from blox_store.release.columns import ArchColumn, Column, IntColumn, NumberColumn, StringColumn

if TYPE_CHECKING:
    import pyarrow

# Name of a column in the table → the file that has it, and its name there.
Sources: TypeAlias = Mapping[str, tuple[LazyFile, str]]

_OWN_COLUMNS = ("arch_index", HASH, "seed")


def chosen_sources(sources: Sources, columns: Sequence[str] | None) -> Sources:
    """Return the sources that a `columns` argument means; raise QueryError for unknown names."""
    if columns is None:
        return sources
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in sources and name not in _OWN_COLUMNS]
    if unknown:
        raise QueryError(f"columns {unknown!r}: those of the loaded files are {', '.join(sources)}")
    return {name: sources[name] for name in names if name in sources}


def arrow_table(rows: NDArray[np.integer[Any]], seed: int, sources: Sources) -> pyarrow.Table:
    """Return the table of one seed: a row for each arch index, in this order.

    A value is null where its file leaves the architecture out. Raises ExtraMissing.
    """
    pa = optional_module("pyarrow", package="pyarrow", extra="parquet")
    index, model_hash, of_seed = _OWN_COLUMNS
    arrays: dict[str, Any] = {
        index: pa.array(rows, pa.int64()),
        model_hash: pa.array([Architecture(row).model_hash for row in rows.tolist()], pa.string()),
        of_seed: pa.array(np.full(len(rows), seed), pa.int64()),
    }
    for name, (file, column) in sources.items():
        arrays[name] = _at(pa, file.row_of[rows], file.columns[column])
    return pa.table(arrays)


def joined(tables: Iterable[pyarrow.Table]) -> pyarrow.Table:
    """Return the rows of tables with the same columns, one table after the other."""
    pa = optional_module("pyarrow", package="pyarrow", extra="parquet")
    return pa.concat_tables(tables)


def pandas_frame(table: pyarrow.Table) -> Any:
    """Return a table as a pandas DataFrame, arch vectors as nested lists; raise ExtraMissing."""
    optional_module("pandas", package="pandas", extra="pandas")
    frame = table.to_pandas()
    if "arch_vec" in frame:  # Arrow would give arrays of arrays, which no query takes
        frame["arch_vec"] = table["arch_vec"].to_pylist()
    return frame


def _at(pa: Any, rows: NDArray[np.int32], column: Column) -> Any:
    there = rows != ABSENT
    array = _array(pa, column.take(rows[there]))
    if there.all():
        return array
    position = np.maximum(np.cumsum(there) - 1, 0)
    return array.take(pa.array(position, mask=~there))


def _array(pa: Any, column: Column) -> Any:
    if isinstance(column, NumberColumn):
        return _doubles(pa, column.floats())
    if isinstance(column, IntColumn) and column.data.ndim == 1:
        return pa.array(signed(column.data))
    if isinstance(column, ArchColumn):
        return _arch_vecs(pa, column.cells)
    # Of no value at all the type has to be told.
    return pa.array(column.values(), pa.string() if isinstance(column, StringColumn) else None)


def _doubles(pa: Any, values: NDArray[np.float64]) -> Any:
    if values.ndim == 1:
        return pa.array(values)
    if not values.shape[1]:  # trainings without an epoch; a list of fixed size has one or more
        return pa.array(values.tolist(), pa.list_(pa.float64()))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _arch_vecs(pa: Any, cells: NDArray[np.uint8]) -> Any:
    """Return `[[op1], [op2, prev, input, skip]]` three times a row; see `ArchColumn` for the bytes.

    Of 91,125 rows it takes 5 ms; from plain nested lists it would take 1.2 s.
    """
    ops, flags = cells >> 3, cells & 7
    numbers = np.stack([ops // 3, ops % 3, flags >> 2, flags >> 1 & 1, flags & 1], axis=-1)
    starts = np.arange(cells.size, dtype=np.int32) * numbers.shape[-1]
    offsets = np.append(np.stack([starts, starts + 1], axis=-1), numbers.size)
    nodes = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(numbers.ravel()))
    return pa.FixedSizeListArray.from_arrays(
        pa.FixedSizeListArray.from_arrays(nodes, 2), cells.shape[1]
    )
