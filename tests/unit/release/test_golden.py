"""The golden releases: read to the published values, written again to the published bytes."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blox_store.release.header import split_header
from blox_store.release.names import FORMATS
from blox_store.release.reader import read_header, read_table
from blox_store.release.rows import table_of_rows
from blox_store.release.writer import write_table

RELEASES = ("release-e12", "release-e200")
STEMS = ("blox-base-0", "blox-ext-0", "blox-env-0", "blox-info", "blox-bench-pixel-4")

every_table = pytest.mark.parametrize("stem", STEMS)
every_release = pytest.mark.parametrize("release", RELEASES)
every_format = pytest.mark.parametrize("format", FORMATS)


def expected(golden: Path, release: str, stem: str) -> Any:
    return json.loads((golden / release / "expected.json").read_text())[stem]


def payload_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[split_header(data)[1] :]


@every_release
@every_table
@every_format
def test_reads_to_the_published_values_and_types(
    golden: Path, release: str, stem: str, format: str
) -> None:
    table = read_table(golden / release / f"{stem}.{format}", allow_pickle=True)
    # repr tells ints from floats and shows every bit of a double
    assert repr(table.rows()) == repr(expected(golden, release, stem)["rows"])


@every_release
@every_table
def test_reads_the_published_header(golden: Path, release: str, stem: str) -> None:
    published = expected(golden, release, stem)["header"]
    header = read_header(golden / release / f"{stem}.blox")
    assert header == published
    assert list(header) == list(published)
    kept = {k: v for k, v in header.items() if k not in ("format", "column_types")}
    assert read_table(golden / release / f"{stem}.blox").header == kept


@every_release
@every_table
def test_blox_files_are_written_to_the_published_header_and_payload(
    golden: Path, release: str, stem: str, tmp_path: Path
) -> None:
    published = golden / release / f"{stem}.blox"
    facts = expected(golden, release, stem)
    table = table_of_rows(facts["header"], facts["rows"])
    write_table(table, tmp_path / "again.blox", "blox")
    again, before = payload_of(tmp_path / "again.blox"), payload_of(published)
    assert zlib.decompress(again) == zlib.decompress(before)
    assert read_header(tmp_path / "again.blox") == facts["header"]
    header = (tmp_path / "again.blox").read_bytes().removesuffix(again)
    assert published.read_bytes() == header + before


@every_release
@every_table
def test_csv_and_pickle_are_written_to_the_published_values(
    golden: Path, release: str, stem: str, tmp_path: Path
) -> None:
    table = read_table(golden / release / f"{stem}.blox")
    for format in ("csv", "pickle"):
        write_table(table, tmp_path / f"again.{format}", format)
    published = golden / release / stem
    assert (tmp_path / "again.csv").read_bytes() == published.with_suffix(".csv").read_bytes()
    again = pickle.loads(payload_of(tmp_path / "again.pickle"))
    assert repr(again) == repr(pickle.loads(payload_of(published.with_suffix(".pickle"))))


@every_release
@every_table
def test_the_reference_codec_reads_and_writes_them(
    golden: Path, release: str, stem: str, reference: ModuleType
) -> None:
    facts = expected(golden, release, stem)
    types = facts["header"]["column_types"]
    payload = zlib.decompress(payload_of(golden / release / f"{stem}.blox"))
    assert reference.decode(payload, types) == facts["rows"]
    assert reference.encode(facts["rows"], types) == payload
