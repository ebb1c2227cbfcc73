"""What is measured of the codec, each task in a process of its own: `python -m … TASK FOLDER`.

It prints a JSON object of figures: seconds, unless the name says otherwise, and `peak_mb`, the most
memory that the process ever had. Python's garbage collector is left as it is: on, with its defaults.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).parents[3]
ORACLE_ROWS: Final = 3_000
FILES: Final = ("blox-base-0", "blox-ext-0")
_QUERIES: Final = 20_000
_ASKED: Final = 47  # any architecture of the release
_Figures = dict[str, float]


def zlib_decompress(folder: Path) -> _Figures:
    """Inflate the payloads of base and ext by Python's zlib, with its default arguments."""
    packed = [_packed(folder / f"{name}.blox") for name in FILES]
    return {"seconds": _seconds(lambda: [zlib.decompress(payload) for payload in packed])}


def decode(folder: Path) -> _Figures:
    """Read base and ext to numpy, files opened, inflated and decoded."""
    from blox_store.release.reader import read_table

    paths = [folder / f"{name}.blox" for name in FILES]
    return {"seconds": _seconds(lambda: [read_table(path) for path in paths])}


def pyarrow_read(folder: Path) -> _Figures:
    """Read the parquet twins of base and ext by pyarrow, to its own arrays, by all cores."""
    import pyarrow.parquet

    paths = [folder / f"{name}.parquet" for name in FILES]
    return {"seconds": _seconds(lambda: [pyarrow.parquet.read_table(path) for path in paths])}


def oracle(folder: Path) -> _Figures:
    """Decode 3,000 rows of base and ext by the readable codec of the tests, in plain Python."""
    from tests.unit.release import reference_codec

    work = [_few_rows(folder / f"{name}.blox") for name in FILES]
    return {"seconds": _seconds(lambda: [reference_codec.decode(*few) for few in work])}


def load(folder: Path) -> _Figures:
    """Open a release and ask one value of base and one of ext."""
    import blox
    from blox_core.space import arch_vec

    def ask() -> None:
        d = blox.from_folder(folder, extended=True, include_static_info=True, include_env_info=True)
        d.val_acc(arch_vec(_ASKED))
        d.train_loss(arch_vec(_ASKED))

    return {"seconds": _seconds(ask)}


def load_base(folder: Path) -> _Figures:
    """Open a release without ext files and ask one value."""
    import blox
    from blox_core.space import arch_vec

    vec = arch_vec(_ASKED)
    return {"seconds": _seconds(lambda: blox.from_folder(folder).val_acc(vec))}


def import_blox(folder: Path) -> _Figures:
    """Import the package, numpy included."""
    return {"seconds": _seconds(lambda: __import__("blox"))}


def query(folder: Path) -> _Figures:
    """Ask for one architecture at a time, and for all at once by their indices."""
    import blox
    from blox_core.space import arch_vec, canonical_cell
    from blox_core.space.raw_arch_vec import all_raw_arch_vecs

    d = blox.from_folder(folder)
    everything = np.random.default_rng(0).permutation(d.indices)
    canonical = [arch_vec(int(index)) for index in everything[:_QUERIES]]
    raw = [
        vec
        for vec, _ in zip(all_raw_arch_vecs(), range(10 * _QUERIES), strict=False)
        if all(canonical_cell((op1[0], *rest)) for op1, rest in vec)
    ]
    d.val_acc(everything)
    return {
        "val_acc_us": _median_us(d.val_acc, canonical),
        "test_acc_us": _median_us(d.test_acc, random.Random(0).sample(raw, _QUERIES)),
        "all_us": 1e6 * _seconds(lambda: d.val_acc(everything)) / len(everything),
    }


def encode(folder: Path) -> _Figures:
    """Encode ext from memory to memory, both passes, and compress its payload alone by the same library."""
    from isal import isal_zlib

    from blox_store.release.reader import read_table
    from blox_store.release.summary import TableSummary
    from blox_store.release.table import ROWS_AT_ONCE
    from blox_store.release.writer import file_pieces

    path = folder / f"{FILES[1]}.blox"
    table = read_table(path)
    payload = zlib.decompress(_packed(path))

    def write() -> list[bytes]:
        summary = TableSummary(table.header)
        summary.add(table)
        return list(file_pieces("blox", summary, table.blocks(ROWS_AT_ONCE)))

    seconds = _seconds(write)
    alone_s = _seconds(lambda: isal_zlib.compress(payload, 1))
    return {"row_us": 1e6 * seconds / len(table), "alone_row_us": 1e6 * alone_s / len(table)}


def size(folder: Path) -> _Figures:
    """Compare the size of the ext file with that of zlib's level 6."""
    path = folder / f"{FILES[1]}.blox"
    packed = _packed(path)
    best = len(zlib.compress(zlib.decompress(packed), 6))
    return {"of_zlib": len(packed) / best}


def export(folder: Path, *options: str) -> _Figures:
    """Export a release by the command, from the store of BLOX_DATABASE_URL."""
    from blox_store.program import launch

    def cut() -> None:
        code = launch("blox_store.export.command", program="export", extra="store")
        assert code == 0, f"exit code {code}"

    sys.argv = ["export", "--out", str(folder), *options]
    return {"seconds": _seconds(cut), "cpu_s": time.process_time()}


READING: Final = (zlib_decompress, decode, pyarrow_read, oracle)
USING: Final = (load, load_base, import_blox, query, encode, size)
TASKS: Final = {task.__name__: task for task in (*READING, *USING, export)}


def run(
    name: str, folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> _Figures:
    """Run a task in a process of its own; return its figures."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.suite.codec.tasks", name, folder, *options],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: _Figures = json.loads(ended.stdout.splitlines()[-1])
    return found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - started
    del kept
    return seconds


def _median_us(ask: Callable[[Any], object], questions: list[Any]) -> float:
    seconds = []
    for question in questions:
        started = time.perf_counter()
        ask(question)
        seconds.append(time.perf_counter() - started)
    return 1e6 * statistics.median(seconds)


def _packed(path: Path) -> bytes:
    from blox_store.release.header import split_header

    data = path.read_bytes()
    return data[split_header(data)[1] :]


def _few_rows(path: Path) -> tuple[bytes, dict[str, str]]:
    """Return the payload of a file's first rows, and its types."""
    from blox_store.release.columns.column_type import parse_type
    from blox_store.release.formats import blox_payload
    from blox_store.release.reader import read_header, read_table

    header, table = read_header(path), read_table(path).take(slice(ORACLE_ROWS))
    types = header["column_types"]
    parsed = {name: parse_type(text) for name, text in types.items()}
    rows = blox_payload.encode_rows(len(table), parsed, table.columns)
    return blox_payload.preamble(len(table), blox_payload.PREAMBLE_BYTES + len(rows)) + rows, types


def _peak_mb() -> float:
    """Return the most resident memory so far; ru_maxrss would count the parent's before exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    name, folder, *options = sys.argv[1:]
    figures = TASKS[name](Path(folder), *options)
    print(json.dumps(figures | {"peak_mb": _peak_mb()}))  # noqa: T201
