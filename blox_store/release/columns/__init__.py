"""Columns of release files as arrays: their types, their numbers, and how blocks of them join."""

from blox_store.release.columns.columns import (
    MILLION,
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    NumberColumn,
    RaggedColumn,
    StringColumn,
    accuracy_table,
    images_of,
    pack_cell,
    unpack_cell,
)

__all__ = [
    "MILLION",
    "ArchColumn",
    "Column",
    "CountColumn",
    "FloatColumn",
    "HashColumn",
    "IntColumn",
    "MillionthsColumn",
    "NumberColumn",
    "RaggedColumn",
    "StringColumn",
    "accuracy_table",
    "images_of",
    "pack_cell",
    "unpack_cell",
]
