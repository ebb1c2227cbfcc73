"""The header of a release file: YAML between two lines `---`, in front of the payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blox_core.space import NODES, OPS, SPACE_SIZE, STAGES
from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release.columns.column_type import MAX_LIST, parse_type
from blox_store.release.header_yaml import Flow, dump_plain, load_plain
from blox_store.release.known_columns import COLUMNS, DATASET_TYPES, HASH, shape_of
from blox_store.release.names import DEVICE_NAME
from blox_store.release.names import Kind as FileKind

VERSION = 1  # that every Blox reads
VERSIONS = (1, 2)
MAX_EPOCHS = MAX_LIST
MAX_READ_BYTES = 16 * 1024  # a bound on what a hostile file makes us parse
MAX_WRITTEN_BYTES = {1: 1024, 2: MAX_READ_BYTES}  # the published reader looks no further
FORMAT_KEYS: Mapping[str, str] = {
    "blox": "custom",
    "csv": "csv",
    "pickle": "pickle",
    "parquet": "parquet",
}
_CELL_SHAPE = ((3,), (3, 2, 2, 2))  # the number of choices at each position of a cell

_BEGIN, _END = b"---\n", b"\n---\n"
_FIRST_KEYS = ("version", "search_space", "dataset_type", "columns")
_FILE_KEYS: Mapping[str, tuple[str, ...]] = {
    "training": ("seed", "epochs", "dataset", "part"),
    "env": ("seed",),
    "static": (),
    "benchmarking": ("device",),
}
# Rows of a bench file that were predicted; the published format has no such files.
_PREDICTED = "predicted"
_PARTS = ("base", "ext")


def search_space() -> dict[str, Any]:
    """Return the header's description of the search space, the only one there is."""
    shape = [[list(node) for node in _CELL_SHAPE] for _ in range(STAGES)]
    return {"shape": shape, "nodes": NODES, "stages": STAGES, "ops": list(OPS)}


def new_header(kind: FileKind, **facts: Any) -> dict[str, Any]:
    """Return the header of a table of a kind of file, with the columns such a file has.

    `facts` are `seed`, `epochs` and `dataset` for base and ext, `seed` for env, `device` for bench, with
    `predicted` if some of its rows are.
    """
    dataset_type = DATASET_TYPES[kind]
    if kind in _PARTS:
        facts["part"] = kind
    header = {
        "version": VERSION,
        "search_space": search_space(),
        "dataset_type": dataset_type,
        "columns": list(COLUMNS[kind]),
    }
    return header | {key: facts[key] for key in _file_keys(dataset_type, facts)}


def split_header(data: bytes) -> tuple[dict[str, Any], int]:
    """Return the header at the beginning of a file and the offset of the payload.

    Raises `ReleaseCorrupt` where there is none, or one that this version does not know.
    """
    end = data.find(_END, len(_BEGIN) - 1, MAX_READ_BYTES)
    if not data.startswith(_BEGIN) or end < 0:
        raise ReleaseCorrupt(
            f"no release file: its first {MAX_READ_BYTES} bytes hold no header between two lines ---"
        )
    try:
        text = data[len(_BEGIN) : end + 1].decode()
    except UnicodeDecodeError as error:
        raise ReleaseCorrupt(f"the header is not UTF-8: {error}") from error
    header = load_plain(text)
    check_header(header)
    return header, end + len(_END)


def join_header(header: Mapping[str, Any]) -> bytes:
    """Return the bytes of a header, its keys in the format's order.

    Raises `NotEncodable` if the header is not one, or takes over 1,024 bytes in version 1.
    """
    try:
        check_header(header)
    except ReleaseCorrupt as error:
        raise NotEncodable(str(error)) from error
    shape, allowed = header["search_space"]["shape"], MAX_WRITTEN_BYTES[header["version"]]
    for shapes in ([shape[0]] * len(shape), Flow(shape)):  # aliases, as published; then fewer bytes
        space = dict(header["search_space"]) | {"shape": shapes}
        ordered = {key: header[key] for key in _keys_of(header)} | {"search_space": space}
        data = _BEGIN + dump_plain(ordered).encode() + _END[1:]
        if len(data) <= allowed:
            return data
    raise NotEncodable(
        f"the header takes {len(data)} bytes, version {header['version']} allows {allowed}: shorten "
        "names"
    )


def check_header(header: Any) -> None:
    """Raise `ReleaseCorrupt` unless this is a full header, saying what is wrong."""
    _require(isinstance(header, dict), "the header is no mapping of keys to values")
    _check_version(header)
    _require_one_of("dataset_type", header.get("dataset_type"), _FILE_KEYS)
    _require_one_of("format", header.get("format"), FORMAT_KEYS.values())
    keys = _keys_of(header)
    missing, unknown = [k for k in keys if k not in header], [k for k in header if k not in keys]
    _require(not missing, f"the header lacks {', '.join(missing)}")
    _require(not unknown, f"the header has unknown keys {unknown}; allowed are {', '.join(keys)}")
    _require(
        header["search_space"] == search_space(),
        f"the header describes another search space: {header['search_space']!r}",
    )
    _check_columns(header["dataset_type"], header["columns"])
    _check_facts(header)
    if "column_types" in header:
        _check_column_types(header)


def _keys_of(header: Mapping[str, Any]) -> tuple[str, ...]:
    last = ("format", "column_types") if header["format"] == "custom" else ("format",)
    return _FIRST_KEYS + _file_keys(header["dataset_type"], header) + last


def _file_keys(dataset_type: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    has_predicted = dataset_type == DATASET_TYPES["bench"] and _PREDICTED in given
    return _FILE_KEYS[dataset_type] + ((_PREDICTED,) if has_predicted else ())


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ReleaseCorrupt(message)


def _require_one_of(key: str, value: Any, allowed: Any) -> None:
    names = list(allowed)
    _require(value in names, f"{key} is {value!r}; allowed are {', '.join(names)}")


def _check_version(header: Mapping[str, Any]) -> None:
    version = header.get("version")
    _require(
        type(version) is int and version in VERSIONS,
        f"the file has version {version!r} of the format, this Blox reads versions "
        f"{' and '.join(map(str, VERSIONS))}: update Blox, or ask for a release of those versions",
    )


def _check_columns(dataset_type: str, columns: Any) -> None:
    _require(
        isinstance(columns, list) and columns[:1] == [HASH],
        f"columns must be a list that begins with {HASH}, got {columns!r}",
    )
    unknown = [c for c in columns if not isinstance(c, str) or shape_of(dataset_type, c) is None]
    _require(not unknown, f"a file of type {dataset_type} has no columns {unknown}")
    _require(len(set(columns)) == len(columns), f"columns names one twice: {columns}")


def _check_facts(header: Mapping[str, Any]) -> None:
    seed, epochs = header.get("seed", 0), header.get("epochs", 0)
    _require(type(seed) is int and seed >= 0, f"seed must be 0 or more, got {seed!r}")
    _require(
        type(epochs) is int and 0 <= epochs <= MAX_EPOCHS,
        f"epochs must be 0 to {MAX_EPOCHS}, got {epochs!r}",
    )
    predicted = header.get(_PREDICTED, 1)
    _require(
        type(predicted) is int and 1 <= predicted <= SPACE_SIZE,
        f"{_PREDICTED} must be 1 to {SPACE_SIZE} rows, got {predicted!r}",
    )
    dataset = header.get("dataset", "")
    _require(isinstance(dataset, str), f"dataset must be a name, got {dataset!r}")
    _require_one_of("part", header.get("part", _PARTS[0]), _PARTS)
    device = header.get("device", "-")
    _require(
        isinstance(device, str) and DEVICE_NAME.fullmatch(device) is not None,
        f"device must match {DEVICE_NAME.pattern}, got {device!r}",
    )


def _check_column_types(header: Mapping[str, Any]) -> None:
    types, columns = header["column_types"], header["columns"]
    _require(
        isinstance(types, dict) and set(types) == set(columns),
        f"column_types must give one type to each of {', '.join(columns)}, got {types!r}",
    )
    for column, text in types.items():
        shape = shape_of(header["dataset_type"], column)
        kind = parse_type(text) if isinstance(text, str) else None
        fits = kind is not None and shape is not None and shape.fits(kind)
        _require(fits, f"column {column} has the type {text!r}; it must be {shape}")
        is_known = kind is not None and kind.version <= header["version"]
        _require(is_known, f"column {column} has the type {text!r}, which version 1 does not have")
