"""Parquet files: a table whose schema carries the header, values as in the other formats."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO, Final

import numpy as np

from blox_core.errors import ExtraMissing
from blox_store.errors import ReleaseCorrupt
from blox_store.release.columns import Column, IntColumn, NumberColumn
from blox_store.release.columns.column_type import ColumnType
from blox_store.release.header import join_header, split_header
from blox_store.release.known_columns import shape_of
from blox_store.release.rows import column_of_numbers, column_of_values
from blox_store.release.table import MAX_ROWS, Table, TableBuilder

MAGIC: Final = b"PAR1"
_HEADER_KEY: Final = b"blox"  # of the schema's metadata
_COMPRESSION: Final = "zstd"
_ROWS_AT_ONCE: Final = 1024  # are a row group


def write_table(
    header: Mapping[str, Any], types: Mapping[str, ColumnType], blocks: Iterable[Table]
) -> Iterator[bytes]:
    """Yield a parquet file in pieces, each a row group."""
    pa = _pyarrow()
    fields = [(name, _arrow_type(pa, kind)) for name, kind in types.items()]
    schema = pa.schema(fields, metadata={_HEADER_KEY: join_header(header)})
    sink = _Sink()
    with pa.parquet.ParquetWriter(sink, schema, compression=_COMPRESSION) as writer:
        for block in chain.from_iterable(table.blocks(_ROWS_AT_ONCE) for table in blocks):
            columns = [_arrow_array(pa, block.columns[name], kind) for name, kind in fields]
            writer.write_table(pa.table(columns, schema=schema))
            yield sink.taken()
    yield sink.taken()


def read_header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a parquet file; `ReleaseCorrupt` if it has none."""
    pa = _pyarrow()
    try:
        return _header(pa.parquet.ParquetFile(file))
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(error) from error


def read_table(file: BinaryIO) -> Table:
    """Return the table of a parquet file; `ReleaseCorrupt` if it is none."""
    pa = _pyarrow()
    try:
        parquet = pa.parquet.ParquetFile(file)
        header = _header(parquet)
        if parquet.metadata.num_rows > MAX_ROWS:
            rows = parquet.metadata.num_rows
            raise ReleaseCorrupt(f"{rows} rows; a file has at most {MAX_ROWS}")
        names = parquet.schema_arrow.names
        if names != header["columns"]:
            raise ReleaseCorrupt(f"the columns are {names}, not those of the header")
        return _table(pa, header, parquet)
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(error) from error


def _table(pa: Any, header: Mapping[str, Any], parquet: Any) -> Table:
    builder, names = TableBuilder(header), header["columns"]
    for batch in parquet.iter_batches(_ROWS_AT_ONCE):
        builder.add(len(batch), (_column(pa, header, name, batch.column(name)) for name in names))
    if not builder.rows:
        builder.add(0, (column_of_values(header, name, []) for name in names))
    return builder.table()


def _header(parquet: Any) -> dict[str, Any]:
    metadata = parquet.schema_arrow.metadata or {}
    if _HEADER_KEY not in metadata:
        raise ReleaseCorrupt("the schema of the parquet file has no metadata 'blox'")
    header, _ = split_header(metadata[_HEADER_KEY])
    if header["format"] != "parquet":
        raise ReleaseCorrupt(f"the header of the parquet file has format {header['format']!r}")
    return header


def _corrupt(error: Exception) -> ReleaseCorrupt:
    return ReleaseCorrupt(f"no parquet file that can be read: {' '.join(str(error).split())}")


def _arrow_type(pa: Any, kind: ColumnType) -> Any:
    if kind.kind == "arch":
        return pa.list_(pa.list_(pa.list_(pa.int64())))
    texts = dict.fromkeys(("hash", "str", "text"), pa.string())
    item = ({"int": pa.int64(), "u8": pa.uint64()} | texts).get(kind.kind, pa.float64())
    return pa.list_(item) if kind.is_list else item


def _arrow_array(pa: Any, column: Column, arrow_type: Any) -> Any:
    """Return a column as pyarrow has it; numbers without a detour by Python's."""
    if isinstance(column, NumberColumn):
        floats = column.floats()
        if floats.ndim == 1:
            return pa.array(floats)
        offsets = np.arange(len(floats) + 1, dtype=np.int32) * floats.shape[1]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(floats.ravel()))
    if isinstance(column, IntColumn):
        return pa.array(column.data, arrow_type)
    return pa.array(column.values(), arrow_type)


def _column(pa: Any, header: Mapping[str, Any], name: str, array: Any) -> Column:
    """Return a column; numbers without a detour by Python's, where no value is missing."""
    shape = shape_of(header["dataset_type"], name)
    is_list = pa.types.is_list(array.type)
    fits = shape is not None and shape.holds_numbers(is_list=is_list)
    items = array.flatten() if is_list else array
    is_whole = not array.null_count and not items.null_count
    if pa.types.is_float64(items.type) and is_whole and fits:
        lengths = np.diff(array.offsets.to_numpy()) if is_list else None
        return column_of_numbers(header, name, items.to_numpy(zero_copy_only=False), lengths)
    return column_of_values(header, name, array.to_pylist())


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ExtraMissing(
            f"parquet files need pyarrow ({error}): pip install 'blox[parquet]'"
        ) from error
    return pyarrow
