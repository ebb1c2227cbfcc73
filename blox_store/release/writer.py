"""Writing a table to a release file of any format, in one block or in many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from blox_core.atomic_file import replace_file
from blox_core.errors import BloxError
from blox_store.errors import NotEncodable, ReleaseError
from blox_store.release.formats import blox_payload, csv_payload, parquet_payload, pickle_payload
from blox_store.release.header import FORMAT_KEYS, join_header, split_header
from blox_store.release.summary import TableSummary
from blox_store.release.table import Table

_ROWS_AT_ONCE: Final = 1024


def write_table(table: Table, path: Path, format: str) -> None:
    """Write a table that is whole in memory; see `write_blocks`."""
    summary = TableSummary(table.header)
    summary.add(table)
    write_blocks(path, format, summary, table.blocks(_ROWS_AT_ONCE))


def write_blocks(path: Path, format: str, summary: TableSummary, blocks: Iterable[Table]) -> None:
    """Write a release file in the format `blox`, `csv`, `pickle` or `parquet`, whole or not at all.

    `blocks` are those that `summary` has seen, in the same order; one at a time is in memory. Values
    are equal in all formats: rounded as docs/reference/release-format.md says, and nothing else.
    Raises `NotEncodable` if the blocks are others than those summed up, `ReleaseError` where the
    file cannot be written, `ExtraMissing` for parquet without pyarrow.
    """
    try:
        replace_file(path, file_pieces(format, summary, blocks))
    except BloxError:  # some are OSErrors too, and not about this file
        raise
    except OSError as error:
        raise ReleaseError(f"cannot write {path}: {error.strerror}") from error


def encoded(table: Table) -> tuple[dict[str, Any], bytes]:
    """Return the header and the payload of the `.blox` file of a table."""
    summary = TableSummary(table.header)
    summary.add(table)
    data = b"".join(file_pieces("blox", summary, table.blocks(_ROWS_AT_ONCE)))
    header, payload_at = split_header(data)
    return header, data[payload_at:]


def file_pieces(format: str, summary: TableSummary, blocks: Iterable[Table]) -> Iterator[bytes]:
    """Yield the bytes of the file that `write_blocks` writes."""
    if format not in FORMAT_KEYS:
        raise NotEncodable(f"no format {format!r}; allowed are {', '.join(FORMAT_KEYS)}")
    header, blocks = summary.header() | {"format": FORMAT_KEYS[format]}, summary.fitted(blocks)
    match format:
        case "csv":
            yield join_header(header)
            yield from csv_payload.write_rows(blocks)
        case "pickle":
            yield join_header(header)
            yield from pickle_payload.write_rows(blocks)
        case "parquet":
            yield from parquet_payload.write_table(header, summary.types(), blocks)
        case _:
            types = {name: str(kind) for name, kind in summary.types().items()}
            yield join_header(header | {"column_types": types})
            yield from blox_payload.deflate(_payload(summary, blocks))


def _payload(summary: TableSummary, blocks: Iterable[Table]) -> Iterator[bytes]:
    types, size = summary.types(), summary.payload_bytes()
    yield blox_payload.preamble(summary.rows, size)
    left = size - blox_payload.PREAMBLE_BYTES
    for block in blocks:
        rows = blox_payload.encode_rows(len(block), types, block.columns)
        left -= len(rows)
        yield rows
    if left:
        raise NotEncodable(f"{size - left} bytes came to be written, {size} were summed up")
