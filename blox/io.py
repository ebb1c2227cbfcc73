"""Reading a release file, and decoding and encoding what stands in one behind its header."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from io import BytesIO
from os import PathLike
from typing import Any, Final

from blox_core.home import expanded
from blox_store.dataset import table_of
from blox_store.release.reader import read_header, read_payload
from blox_store.release.rows import table_of_rows
from blox_store.release.writer import encoded

__all__ = ["decode", "encode", "has_C", "parse_csv", "read_dataset_file"]

has_C: Final = True  # the codec is C++, without exception


def read_dataset_file(
    filename: str | PathLike[str], fast: bool = True
) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return the header of a release file and its rows as lists of plain values.

    A file named `.pickle` is read by an unpickler that admits plain values only. `fast` is
    accepted for the sake of existing code; there is one reader. Raises ReleaseMissing,
    ReleaseCorrupt, and PickleNotAllowed for a pickle under another name.
    """
    file = expanded(filename)
    return read_header(file), table_of(file).rows()


def decode(hdr: MutableMapping[str, Any], data: bytes, fast: bool = True) -> list[list[Any]]:
    """Return the rows that `encode` has encoded, or that stand behind the header of a `.blox` file.

    `hdr` is the header, with the `column_types` that they were encoded as. Raises ReleaseCorrupt.
    """
    return read_payload(dict(hdr) | {"format": "blox"}, BytesIO(data)).rows()


def encode(hdr: MutableMapping[str, Any], data: Sequence[Sequence[Any]]) -> bytes:
    """Return rows as they stand behind the header of a `.blox` file.

    `hdr`, the header, gets the `column_types` that hold the values. Raises NotEncodable naming the
    row, column and value that no type holds.
    """
    header, payload = encoded(table_of_rows(hdr, data))
    hdr["column_types"] = header["column_types"]
    return payload


def parse_csv(hdr: MutableMapping[str, Any], data: str | bytes) -> list[list[Any]]:
    """Return the rows in the text behind the header of a `.csv` file. Raises ReleaseCorrupt."""
    text = data.encode() if isinstance(data, str) else data
    return read_payload(dict(hdr) | {"format": "csv"}, BytesIO(text)).rows()
