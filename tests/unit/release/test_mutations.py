"""Golden files with bytes changed, lost or repeated: one error or a table, in every format."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blox_store.errors import ReleaseCorrupt
from blox_store.release.header import split_header
from blox_store.release.names import FORMATS
from blox_store.release.reader import read_header, read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

STEMS = ("blox-base-0", "blox-ext-0", "blox-env-0", "blox-info", "blox-bench-pixel-4")
FOLDER = Path(__file__).parents[2] / "assets" / "golden" / "release-e12"

examples = pytest.mark.parametrize("examples", [8, pytest.param(150, marks=pytest.mark.slow)])


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Return bytes with a few places overwritten, cut out, doubled, or everything after cut off."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(damaged) - 1)))
        end = at + draw(st.integers(1, 8))
        match draw(st.sampled_from(["overwrite", "cut out", "double", "cut off"])):
            case "overwrite":
                damaged[at:end] = draw(st.binary(min_size=1, max_size=8))
            case "cut out":
                del damaged[at:end]
            case "double":
                damaged[at:at] = damaged[at:end]
            case _:
                del damaged[end:]
    return bytes(damaged)


def read_or_refuse(path: Path, data: bytes) -> None:
    """Read a file; what is no error must be a table that is written and read to the same rows."""
    path.write_bytes(data)
    table, refusal = outcome(path)
    if table is None:
        assert refusal.path == str(path)
        assert "\n" not in str(refusal)
    else:
        write_table(table, path, "blox")
        assert len(read_table(path)) == len(table)


def outcome(path: Path) -> tuple[Table | None, Any]:
    try:
        read_header(path)
        return read_table(path, allow_pickle=True), None
    except ReleaseCorrupt as error:
        return None, error


@examples
def test_a_mutated_file_is_refused_or_read(tmp_path: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.data(), st.sampled_from(STEMS), st.sampled_from(FORMATS))
    def check(data: st.DataObject, stem: str, format: str) -> None:
        golden = (FOLDER / f"{stem}.{format}").read_bytes()
        read_or_refuse(tmp_path / f"{stem}.{format}", data.draw(mutated(golden)))

    check()


@examples
def test_a_mutated_payload_is_refused_or_read(tmp_path: Path, examples: int) -> None:
    """The checksum of zlib finds what the mutations above do to a payload, so damage it inside."""

    @settings(max_examples=examples, deadline=None)
    @given(st.data(), st.sampled_from(STEMS))
    def check(data: st.DataObject, stem: str) -> None:
        golden = (FOLDER / f"{stem}.blox").read_bytes()
        _, at = split_header(golden)
        damaged = zlib.compress(data.draw(mutated(zlib.decompress(golden[at:]))))
        read_or_refuse(tmp_path / f"{stem}.blox", golden[:at] + damaged)

    check()
