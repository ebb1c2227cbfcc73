"""Damaged and hostile files of every format: one error, never a wrong value or a crash."""

from __future__ import annotations

import os
import pickle
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blox_store.errors import PickleNotAllowed, ReleaseCorrupt, ReleaseMissing
from blox_store.release.columns.column_type import parse_type
from blox_store.release.formats import blox_payload
from blox_store.release.header import join_header, new_header
from blox_store.release.reader import read_header, read_table

HASH = "53e2fa8075c3ea1479d7116b5e8629dc"
CELL = [[1], [2, 1, 0, 1]]
TYPES = {
    "model_hash": "hash",
    "val_top1": "list[b_100_4100_12]",
    "test_top1": "b_6000_7000_16",
    "train_time_s": "int",
}
BASE = new_header("base", seed=0, epochs=3, dataset="cifar100")
ROWS = [[HASH, [10.0, 20.0, 82.0], 60.5, 77], [HASH[::-1], [2.0, 2.02, 2.04], 70.0, 0]]
GOOD_ROW = [HASH, [1.0], 2.0, 3]
GOOD_LINE = f"{HASH},[1.0],2.0,3\r\n".encode()
FIRST_LIST = blox_payload.PREAMBLE_BYTES + 16  # the length byte of the first row's curve


@pytest.fixture
def good(reference: ModuleType) -> bytes:
    data: bytes = reference.encode(ROWS, TYPES)
    return data


def blox_file(folder: Path, packed: bytes) -> Path:
    path = folder / "blox-base-0.blox"
    header = BASE | {"format": "custom", "column_types": TYPES}
    path.write_bytes(join_header(header) + packed)
    return path


def read_packed(folder: Path, packed: bytes) -> list[list[Any]]:
    return read_table(blox_file(folder, packed)).rows()


def text_file(folder: Path, kind: str, data: bytes) -> Path:
    path = folder / f"blox-base-0.{kind}"
    path.write_bytes(join_header(BASE | {"format": kind}) + data)
    return path


def test_the_undamaged_file_is_read(tmp_path: Path, good: bytes) -> None:
    assert repr(read_packed(tmp_path, zlib.compress(good))) == repr(ROWS)


def test_the_count_of_bits_is_ignored(tmp_path: Path, good: bytes) -> None:
    assert read_packed(tmp_path, zlib.compress(b"\xff" * 8 + good[8:])) == ROWS


@pytest.mark.parametrize("first", range(2))
def test_every_truncation_of_the_payload_is_found(tmp_path: Path, good: bytes, first: int) -> None:
    for size in range(first, len(good), 2):
        with pytest.raises(ReleaseCorrupt) as caught:
            read_packed(tmp_path, zlib.compress(good[:size]))
        assert caught.value.path == str(tmp_path / "blox-base-0.blox")
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= size


@pytest.mark.parametrize("first", range(4))
def test_every_truncation_of_the_file_is_found(tmp_path: Path, good: bytes, first: int) -> None:
    whole = blox_file(tmp_path, zlib.compress(good)).read_bytes()
    for size in range(first, len(whole), 4):
        cut = tmp_path / "cut.blox"
        cut.write_bytes(whole[:size])
        with pytest.raises(ReleaseCorrupt):
            read_table(cut)


def with_bytes(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values) :]


@pytest.mark.parametrize(
    ("at", "values", "offset", "message"),
    [
        (8, [3, 0, 0, 0], 68, "cut off in row 2 of 3"),
        (8, [1, 0, 0, 0], 40, "bytes follow the last row"),
        (8, [255] * 4, 8, "4294967295 rows; a file has at most 91125"),
        (FIRST_LIST, [255], 68, "cut off in row 0 of 2"),
        (FIRST_LIST, [2], 68, "cut off in row 1 of 2"),
        (FIRST_LIST + 1, [255] * 5, None, None),  # 4195 correct images of 5000: not over n
        (FIRST_LIST + 6, [255, 255], 34, "71535 correct images of 10000"),
    ],
)
def test_wrong_counts_are_found(
    tmp_path: Path, good: bytes, at: int, values: list[int], offset: int | None, message: str | None
) -> None:
    packed = zlib.compress(with_bytes(good, at, *values))
    if message is None:
        assert read_packed(tmp_path, packed)[0][1] == [83.9, 83.9, 83.9]
        return
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        read_packed(tmp_path, packed)
    assert caught.value.offset == offset


def test_bytes_after_the_last_row_are_found(tmp_path: Path, good: bytes) -> None:
    with pytest.raises(ReleaseCorrupt, match="bytes follow the last row"):
        read_packed(tmp_path, zlib.compress(good + b"\0"))


def test_bytes_after_the_zlib_stream_are_found(tmp_path: Path, good: bytes) -> None:
    with pytest.raises(ReleaseCorrupt, match="bytes follow the end of the zlib stream"):
        read_packed(tmp_path, zlib.compress(good) + b"ab")


def test_what_is_no_zlib_stream_is_found(tmp_path: Path, good: bytes) -> None:
    packed = zlib.compress(good)
    for damaged in (good, with_bytes(packed, 0, 0), with_bytes(packed, len(packed) - 1, 0)):
        with pytest.raises(ReleaseCorrupt, match="no zlib stream"):
            read_packed(tmp_path, damaged)


def test_a_zip_bomb_is_not_inflated(tmp_path: Path, good: bytes) -> None:
    bomb = zlib.compress(good + bytes(50_000_000), 1)
    with pytest.raises(ReleaseCorrupt, match="bytes follow the last row") as caught:
        read_packed(tmp_path, bomb)
    assert caught.value.offset == len(good)


@pytest.mark.parametrize(
    ("types", "data", "offset", "message"),
    [
        ({"gpu": "str"}, b"\x02a\xe9", 14, "the byte 233, not ASCII"),
        ({"gpu": "str"}, b"\x03ab", 15, "cut off in row 0 of 1"),
        ({"gpu": "text"}, b"\x02\0\0\0a\xe9", 17, "the byte 233, not UTF-8"),
        ({"gpu": "text"}, b"\x03\0\0\0\xed\xa0\x80", 16, "the byte 237, not UTF-8"),
        ({"gpu": "text"}, b"\x02\0\0\0\xc0\x80", 16, "the byte 192, not UTF-8"),
        ({"gpu": "text"}, b"\x01\0\x10\0", 12, "a string has the length 1048577"),
        ({"x": "longlist[int]"}, b"\x11\x27\0\0", 12, "a list has the length 10001"),
        ({"val_top1": "n_1_5_8_5"}, b"\x05", 12, "6 correct images of 5"),
        ({"x": "u8"}, b"1234567", 19, "cut off in row 0 of 1"),
        ({"x": "f8"}, b"12345678" + b"9", 20, "bytes follow the last row"),
        ({"arch_vec": "arch"}, b"\x00\x48\x00", 13, "no cell has the byte 72"),
        ({"x": "list[arch]"}, b"\x02\0\0\0\0\0\xff", 18, "no cell has the byte 255"),
        ({"x": "list[str]"}, b"\x02\x00", 14, "cut off in row 0 of 1"),
    ],
)
def test_values_that_their_type_does_not_have_are_found(
    types: dict[str, str], data: bytes, offset: int, message: str
) -> None:
    whole = bytes(8) + b"\x01\0\0\0" + data
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        blox_payload.decode([whole], {name: parse_type(text) for name, text in types.items()})
    assert caught.value.offset == offset


def test_an_error_names_path_and_byte_in_one_line(tmp_path: Path, good: bytes) -> None:
    with pytest.raises(ReleaseCorrupt) as caught:
        read_packed(tmp_path, zlib.compress(good + b"\0"))
    assert str(caught.value) == (
        f"{tmp_path}/blox-base-0.blox: bytes follow the last row "
        f"(byte {len(good)} of the inflated payload)"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "not UTF-8"),
        (b'"', "row 0"),
        (f"{HASH},[1.0],2.0".encode(), "row 0 of the payload: 4 fields are needed, got 3"),
        (f"{HASH},[1.0],2.0,3\r\n\r\n".encode(), "row 1 of the payload: 4 fields"),
        (f"{HASH},[1.0],two,3".encode(), "row 0"),
        (f"{HASH},{'[' * 100_000},2.0,3".encode(), "row 0"),
        (f"{HASH},[NaN],2.0,3".encode(), r"row 0, column val_top1: got \[nan\]"),
        (f"{HASH},1.0,2.0,3".encode(), "column val_top1: got 1.0, allowed is a list"),
        (f"{HASH},[1.0],2.0,3.5".encode(), "column train_time_s: got 3.5, allowed is an integer"),
        (f"{HASH},[1.0],true,3".encode(), "column test_top1: got True"),
        (f"{HASH},[1.0],2.0,4294967296".encode(), "column train_time_s: got 4294967296"),
        (b"hash,[1.0],2.0,3", "column model_hash: got 'hash', allowed is 32 lower-case"),
        (GOOD_LINE * 300 + b"hash,[1.0],2.0,3", "row 300, column model_hash: got 'hash'"),
        (GOOD_LINE * 300 + b"two", "row 300 of the payload: 4 fields are needed, got 1"),
        pytest.param(
            GOOD_LINE * 91_126,
            "over 91125 rows; a file has at most 91125",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_damaged_csv_is_found(tmp_path: Path, data: bytes, message: str) -> None:
    path = text_file(tmp_path, "csv", data if data.endswith(b"\n") else data + b"\r\n")
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        read_table(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_csv_that_is_cut_within_a_row_is_found(tmp_path: Path, line_end: bytes) -> None:
    rows = [f"{HASH[:-1]}{row},[1.0],2.0,3456".encode() + line_end for row in range(3)]
    data = b"".join(rows)
    ends = {sum(map(len, rows[:number])) for number in range(4)}
    for size in range(len(data) + 1):
        path = text_file(tmp_path, "csv", data[:size])
        if size in ends:
            assert len(read_table(path)) == data[:size].count(line_end)
        else:
            with pytest.raises(
                ReleaseCorrupt,
                match=r"row \d of the payload: it has no line end: the file was cut off",
            ):
                read_table(path)


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no plain pickle"),
        (b"\x80\x04]", "no plain pickle"),
        (b"garbage", "no plain pickle"),
        (b"\x80\x04h\x05.", "no plain pickle"),
        (b"\x80\x04K\x00Q.", "no plain pickle: A load persistent id instruction was enc[^\n]*$"),
        (pickle.dumps([Exploit()]), r"it asks for \w+\.system"),
        (pickle.dumps([Path("x")]), "it asks for pathlib"),
        (pickle.dumps([]) + b"x", "bytes follow the end of the pickle"),
        (pickle.dumps({"rows": 1}), "holds a dict, not a list of rows"),
        (pickle.dumps([[HASH]]), "row 0: a list of 4 values is needed"),
        (pickle.dumps([GOOD_ROW] * 300 + [[HASH]]), "row 300: a list of 4 values is needed"),
        (pickle.dumps([GOOD_ROW] * 91_126), "over 91125 rows; a file has at most 91125"),
        (pickle.dumps(["abcd"]), "row 0: a list of 4 values is needed"),
        (pickle.dumps([[HASH, [1.0], 10**400, 3]]), "column test_top1: got 1000"),
        (pickle.dumps([[HASH, ["1"], 2.0, 3]]), r"column val_top1: got \['1'\]"),
    ],
)
def test_damaged_and_hostile_pickles_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=message):
        read_table(text_file(tmp_path, "pickle", data), allow_pickle=True)


def test_a_pickle_is_not_read_unless_asked_for(tmp_path: Path) -> None:
    path = text_file(tmp_path, "pickle", pickle.dumps([]))
    disguised = path.rename(tmp_path / "blox-base-0.csv")
    with pytest.raises(PickleNotAllowed, match=r"read only where asked for: .*preferred_ext"):
        read_table(disguised)
    assert read_table(disguised, allow_pickle=True).rows() == []
    assert read_header(disguised)["format"] == "pickle"


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    for read in (read_header, read_table):
        with pytest.raises(ReleaseMissing, match=r"cannot read the release file .*: No such file"):
            read(tmp_path / "blox-info.blox")


def test_a_header_that_is_none_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "blox-info.blox"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ReleaseCorrupt, match=r"blox-info.blox: no release file"):
        read_header(path)
