from __future__ import annotations

from typing import Any

import pytest
import yaml

from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release import header_yaml
from blox_store.release.header import (
    MAX_READ_BYTES,
    join_header,
    new_header,
    split_header,
)
from blox_store.release.header_yaml import Flow, dump_plain, load_plain

INFO = new_header("info") | {"format": "csv"}
TRAINING = new_header("base", seed=0, epochs=12, dataset="cifar100") | {"format": "csv"}
BENCH = new_header("bench", device="pixel-4") | {"format": "csv"}
TYPES = {"model_hash": "hash", "latency": "float"}
CUSTOM = BENCH | {"format": "custom", "column_types": TYPES}


def file_of(header: Any) -> bytes:
    return b"---\n" + yaml.safe_dump(header, sort_keys=False).encode() + b"---\npayload"


@pytest.mark.parametrize("header", [INFO, TRAINING, BENCH, CUSTOM])
def test_headers_are_written_and_read(header: dict[str, Any]) -> None:
    data = join_header(header)
    assert data.startswith(b"---\nversion: 1\nsearch_space:\n")
    assert data.endswith(b"\n---\n")
    assert split_header(data + b"payload") == (header, len(data))
    assert list(yaml.safe_load(data[4:-4])) == list(header)


def test_keys_are_written_in_the_formats_order() -> None:
    shuffled = dict(sorted(CUSTOM.items()))
    assert join_header(shuffled) == join_header(CUSTOM)


def test_a_long_header_gets_its_shape_in_flow_style() -> None:
    header = new_header("bench", device="d" * 765) | {"format": "csv"}
    data = join_header(header)
    assert b"shape: [[[3], [3, 2, 2, 2]], [[3]" in data
    assert split_header(data)[0] == header


def test_a_header_over_the_published_limit_is_not_written() -> None:
    header = new_header("bench", device="d" * 1024) | {"format": "csv"}
    with pytest.raises(NotEncodable, match="version 1 allows 1024"):
        join_header(header)
    long = header | {"version": 2}
    assert split_header(join_header(long))[0] == long


def test_a_wrong_header_is_not_written() -> None:
    with pytest.raises(NotEncodable, match="seed must be 0 or more, got -1"):
        join_header(TRAINING | {"seed": -1})


def test_a_header_longer_than_the_published_limit_is_read() -> None:
    header = new_header("bench", device="d" * 2000) | {"format": "csv"}
    assert split_header(file_of(header))[0] == header


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"---",
        b"---\n",
        b"PK\x03\x04",
        b"---\nversion: 1\n",
        b" ---\nversion: 1\n---\n",
        b"---\n" + b"#" * MAX_READ_BYTES + b"\n---\n",
    ],
)
def test_what_has_no_header_is_no_release_file(data: bytes) -> None:
    with pytest.raises(ReleaseCorrupt, match="no release file"):
        split_header(data)


def test_a_header_must_be_utf8() -> None:
    with pytest.raises(ReleaseCorrupt, match="not UTF-8"):
        split_header(b"---\ndevice: \xff\n---\n")


@pytest.mark.parametrize("data", [b"---\n---\n", b"---\n- a\n---\n"])
def test_a_header_must_be_a_mapping(data: bytes) -> None:
    with pytest.raises(ReleaseCorrupt, match="no mapping"):
        split_header(data)


@pytest.mark.parametrize("version", [3, 0, "1", True, 1.0, None])
def test_other_versions_are_refused_in_one_clear_line(version: object) -> None:
    with pytest.raises(ReleaseCorrupt, match="this Blox reads versions 1 and 2: update Blox"):
        split_header(file_of(INFO | {"version": version}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_type": "other"}, "dataset_type is 'other'; allowed are training, env"),
        ({"dataset_type": ["env"]}, "dataset_type is"),
        ({"format": "json"}, "format is 'json'; allowed are custom, csv, pickle, parquet"),
        ({"search_space": {"nodes": 3}}, "another search space"),
        ({"columns": "model_hash"}, "a list that begins with model_hash"),
        ({"columns": ["val_top1"]}, "a list that begins with model_hash"),
        ({"columns": ["model_hash", "speed"]}, "has no columns .*speed"),
        ({"columns": ["model_hash", ["val_top1"]]}, "has no columns"),
        ({"columns": ["model_hash", "val_top1", "val_top1"]}, "names one twice"),
        ({"seed": True}, "seed must be 0 or more, got True"),
        ({"epochs": True}, "epochs must be 0 to 10000, got True"),
        ({"epochs": "12"}, "epochs must be 0 to 10000"),
        ({"epochs": 10_001}, "epochs must be 0 to 10000, got 10001"),
        ({"dataset": 100}, "dataset must be a name, got 100"),
        ({"part": "full"}, "part is 'full'; allowed are base, ext"),
        ({"colour": "red"}, "unknown keys .*colour.*allowed are version"),
        ({"column_types": {}}, "unknown keys .*column_types"),
    ],
)
def test_each_key_is_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=message):
        split_header(file_of(TRAINING | change))


def test_missing_keys_are_named() -> None:
    header = {key: value for key, value in TRAINING.items() if key not in ("seed", "epochs")}
    with pytest.raises(ReleaseCorrupt, match="lacks seed, epochs"):
        split_header(file_of(header))


@pytest.mark.parametrize("device", ["a_b", "", "pixel 4", 4])
def test_device_names_are_checked(device: object) -> None:
    with pytest.raises(ReleaseCorrupt, match="device must match"):
        split_header(file_of(BENCH | {"device": device}))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"model_hash": "hash"}, "one type to each of model_hash, latency"),
        (["hash", "float"], "one type to each"),
        (TYPES | {"params": "int"}, "one type to each"),
        (TYPES | {"latency": "f16"}, "no column has the type 'f16'"),
        (TYPES | {"latency": "f8"}, "the type 'f8', which version 1 does not have"),
        (TYPES | {"latency": "int"}, "latency has the type 'int'; it must be float"),
        (TYPES | {"latency": "list[float]"}, "it must be float"),
        (TYPES | {"latency": 3}, "it must be float"),
        (TYPES | {"model_hash": "str"}, "it must be hash"),
    ],
)
def test_column_types_are_checked(types: object, message: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=message):
        split_header(file_of(CUSTOM | {"column_types": types}))


@pytest.mark.parametrize("device", ["true", "12", "1e5", "0x10", "null"])
def test_device_names_that_yaml_takes_for_other_values_survive(device: str) -> None:
    header = new_header("bench", device=device) | {"format": "csv"}
    assert split_header(join_header(header))[0]["device"] == device


@pytest.fixture(params=[yaml.CSafeLoader, yaml.SafeLoader])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by libyaml, and as where PyYAML was built without it."""
    monkeypatch.setattr(header_yaml, "_LOADER", request.param)


@pytest.mark.usefixtures("_loader")
def test_aliases_are_resolved_into_copies() -> None:
    value = load_plain("a: &x [1, [2]]\nb: *x\n")
    assert value == {"a": [1, [2]], "b": [1, [2]]}
    assert value["a"] is not value["b"]


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no valid YAML"),
        ("a: b: c", "no valid YAML"),
        ("a: *nowhere", "no valid YAML"),
        ("a: 2022-13-45", "no valid YAML"),
        ("a: " + "9" * 5000, "no valid YAML"),
        ("? [a]\n: b", "no valid YAML"),
        ("a: \x07", "no valid YAML"),
        ("--- a\n--- b", "no valid YAML"),
        ("a: !!python/object/apply:os.getcwd []", "YAML tag"),
        ("a: !!binary aGk=", "YAML tag"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "merge key"),
        ("a: 2022-07-01", "holds a date"),
        ("[" * 17 + "]" * 17, "nests deeper than 16"),
        (
            "[" * 8000,
            "nests deeper than 16|exceeded maximum nesting depth",
        ),  # PyYAML's own, libyaml
        ("&a [*a]", "aliases expand"),
        (laughs(9), "aliases expand"),
    ],
)
def test_yaml_beyond_plain_values_is_refused(text: str, message: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        load_plain(text)
    assert "\n" not in str(caught.value)


def test_flow_style_is_written_where_asked_for() -> None:
    assert dump_plain({"a": Flow([1, [2]]), "b": [3]}) == "a: [1, [2]]\nb:\n- 3\n"
