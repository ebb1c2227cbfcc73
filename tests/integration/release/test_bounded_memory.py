"""What takes little memory: files that are written, read, and refused, whatever they hold."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isal import isal_zlib

from blox_store.release.formats import blox_payload
from blox_store.release.header import join_header, new_header
from blox_store.release.names import ALL_FORMATS

ADDRESS_MB = 600
FACTS = {"seed": 0, "epochs": 3, "dataset": "cifar100"}
CURVES = {"model_hash": "hash", "val_loss": "list[float]", "test_loss": "float"}
LONG = CURVES | {"val_loss": "longlist[f8]"}
GPU = {"model_hash": "hash", "gpu": "text"}

PEAK = """
from pathlib import Path as _Path
_status = _Path("/proc/self/status").read_text().split("VmHWM:")[1]
print(int(_status.split()[0]) / 1024)
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a process printed, and the most memory that it had."""

    printed: str
    peak_mb: float


def python(code: str, *args: Any, address_mb: int | None = None) -> Ended:
    """Run code in another Python, with at most so much address space."""

    def limit() -> None:
        if address_mb is not None:
            resource.setrlimit(resource.RLIMIT_AS, (address_mb * 2**20,) * 2)

    command = [sys.executable, "-c", code + PEAK, *map(str, args)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=limit)
    assert ended.returncode == 0, ended.stderr
    *printed, peak = ended.stdout.splitlines()
    return Ended(printed="\n".join(printed), peak_mb=float(peak))


READ = """
import sys
from pathlib import Path
from blox_store.errors import ReleaseCorrupt
from blox_store.release.formats import blox_payload
from blox_store.release.reader import read_header, read_table
blox_payload.MAX_COLUMNS_BYTES = 64 * 2**20
for read in (read_header, read_table):
    try:
        read(Path(sys.argv[1]))
    except ReleaseCorrupt as error:
        assert error.path == sys.argv[1]
        print(read.__name__, error.offset, error.args[0])
"""

READ_ALL = """
import sys
from pathlib import Path
from blox_store.release.reader import read_table
try:
    read_table(Path(sys.argv[1]))
except MemoryError:
    print("MemoryError")
"""


def blox_file(path: Path, kind: str, types: dict[str, str], packed: bytes) -> None:
    facts = FACTS if kind == "ext" else {"seed": 0}
    header = new_header("ext" if kind == "ext" else "env", **facts) | {"format": "custom"}
    header |= {"version": 2, "columns": list(types), "column_types": types}
    path.write_bytes(join_header(header) + packed)


def repeated(piece: bytes, times: int, *, start: bytes = b"") -> bytes:
    """Return a zlib stream of many copies, made without having them all."""
    stream = isal_zlib.compressobj(1)
    packed = [stream.compress(start)]
    packed += [stream.compress(piece * 100) for _ in range(times // 100)]
    return b"".join(packed) + stream.flush()


def rows(count: int) -> bytes:
    return blox_payload.preamble(count, blox_payload.PREAMBLE_BYTES)


def long_lists(path: Path) -> None:
    row = bytes(16) + (10_000).to_bytes(4, "little") + bytes(80_000) + bytes(3)
    blox_file(path, "ext", LONG, repeated(row, 2_000, start=rows(91_125)))


def longer_than_allowed(path: Path) -> None:
    row = bytes(16) + (2**32 - 1).to_bytes(4, "little")
    blox_file(path, "ext", LONG, repeated(row, 100, start=rows(91_125)))


def longer_than_the_file(path: Path) -> None:
    row = bytes(16) + (9_999).to_bytes(4, "little")
    blox_file(path, "ext", LONG, isal_zlib.compress(rows(1) + row))


def texts_of_a_megabyte(path: Path) -> None:
    pieces = [rows(91_125)]
    for at in range(200):
        text = b"%08d" % at + b"x" * (2**20 - 8)
        pieces.append(bytes(16) + len(text).to_bytes(4, "little") + text)
    blox_file(path, "env", GPU, isal_zlib.compress(b"".join(pieces)))


def text_over_a_megabyte(path: Path) -> None:
    row = bytes(16) + (2**20 + 1).to_bytes(4, "little")
    blox_file(path, "env", GPU, repeated(row, 200_000, start=rows(1)))


def bytes_after_the_last_row(path: Path) -> None:
    blox_file(path, "ext", CURVES, repeated(bytes(100_000), 10_000, start=rows(1)))


def nothing_but_rows(path: Path) -> None:
    blox_file(path, "ext", CURVES, isal_zlib.compress(rows(2**32 - 1)))


def header_without_end(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"---\nversion: 1\n")
        file.truncate(2**30)


def header_of_a_long_line(path: Path) -> None:
    path.write_bytes(b"---\n" + b"a" * 2**24 + b"\n---\n")


def aliases_of_aliases(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("---\n" + "\n".join(lines) + "\n---\n")


HOSTILE: list[tuple[Callable[[Path], None], str]] = [
    (long_lists, r"read_table \d+ the columns take over 67108864 bytes"),
    (longer_than_allowed, "read_table 28 a list has the length 4294967295, at most 10000"),
    (longer_than_the_file, "read_table 32 the payload is cut off in row 0 of 1"),
    (texts_of_a_megabyte, r"read_table \d+ the columns take over 67108864 bytes"),
    (text_over_a_megabyte, "read_table 28 a string has the length 1048577, at most 1048576"),
    (bytes_after_the_last_row, "read_table 32 bytes follow the last row"),
    (nothing_but_rows, "read_table 8 4294967295 rows; a file has at most 91125"),
    (header_without_end, "read_header None no release file.*\nread_table None no release file"),
    (header_of_a_long_line, "read_header None no release file.*\nread_table None no release file"),
    (aliases_of_aliases, "read_header None the header's aliases expand.*\nread_table None the hea"),
]


@pytest.mark.parametrize(("make", "message"), HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_a_hostile_file_is_refused_in_little_memory(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "blox-ext-0.blox"
    make(path)
    ended = python(READ, path, address_mb=ADDRESS_MB)
    assert re.match(message, ended.printed), ended.printed
    assert ended.peak_mb < 300


def test_memory_that_is_not_there_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "blox-ext-0.blox"
    long_lists(path)
    assert python(READ_ALL, path, address_mb=ADDRESS_MB // 4).printed == "MemoryError"


WRITE_AND_READ = """
import sys
from pathlib import Path
import numpy as np
from blox_store.release.columns import CountColumn, HashColumn, MillionthsColumn
from blox_store.release.header import new_header
from blox_store.release.reader import read_table
from blox_store.release.summary import TableSummary
from blox_store.release.table import Table
from blox_store.release.writer import write_blocks

path, format, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
header = new_header("ext", seed=0, epochs=200, dataset="cifar100")
header["columns"] = ["model_hash", "val_top1", "val_loss"]


def blocks():
    random = np.random.default_rng(0)
    for _ in range(count):
        columns = {
            "model_hash": HashColumn(random.integers(0, 256, (256, 16), np.uint8)),
            "val_top1": CountColumn(random.integers(0, 5001, (256, 200), np.uint16), 5000),
            "val_loss": MillionthsColumn(random.integers(0, 2**23, (256, 200), np.uint32)),
        }
        yield Table(header=header, columns=columns)


summary = TableSummary(header)
for block in blocks():
    summary.add(block)
write_blocks(path, format, summary, blocks())
if "read" in sys.argv:
    print(len(read_table(path)))
"""


@pytest.mark.parametrize("format", ALL_FORMATS)
def test_memory_is_independent_of_the_number_of_rows_that_are_written(
    format: str, tmp_path: Path
) -> None:
    few, many = (
        python(WRITE_AND_READ, tmp_path / f"{blocks}.{format}", format, blocks).peak_mb
        for blocks in (2, 12)  # 2,560 rows more, as Python's numbers 30 MB
    )
    assert many < few + 12


@pytest.mark.slow  # a large file
def test_a_csv_file_is_read_in_little_more_than_its_columns_take(tmp_path: Path) -> None:
    ended = python(WRITE_AND_READ, tmp_path / "file.csv", "csv", 22, "read")
    assert ended.printed == "5632"
    assert ended.peak_mb < 100  # its numbers as Python objects would take 70 MB more
