"""All 63 recorded calls on the published package return what they returned there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import GeneratorType
from typing import Any

import numpy as np
import pytest

import blox
from blox.dataset import Dataset
from blox_core.errors import BloxError
from blox_store.release.reader import read_table
from blox_store.release.writer import write_table

GOLDEN = Path(__file__).parents[2] / "assets" / "golden"
CALLS: list[dict[str, Any]] = json.loads((GOLDEN / "query-e12.json").read_text())
DATASET_CALLS = [call for call in CALLS if call["on"] in ("base", "extended")]
MODULE_CALLS = {call["call"]: call for call in CALLS if call["on"] not in ("base", "extended")}
FORMATS = ("blox", "csv", "pickle", "parquet")


def call_name(call: dict[str, Any]) -> str:
    return f"{call['on']}.{call['call']}-{CALLS.index(call)}"


def as_parquet(release: Path, folder: Path) -> Path:
    """Write the files of a release as parquet, which the published package does not know."""
    for path in release.glob("*.blox"):
        write_table(read_table(path), folder / f"{path.stem}.parquet", "parquet")
    return folder


def typed(value: Any) -> Any:
    """The value with the type at every level, so that equality is exact."""
    if isinstance(value, dict):
        return dict, [(key, typed(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [typed(item) for item in value]
    return type(value), value


@pytest.fixture(scope="module", params=FORMATS)
def datasets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Dataset]:
    folder = GOLDEN / "release-e12"
    if request.param == "parquet":
        folder = as_parquet(folder, tmp_path_factory.mktemp("parquet"))
    return {
        "base": blox.from_folder(folder, devices=False, preferred_ext=request.param),
        "extended": blox.from_folder(
            folder,
            extended=True,
            include_static_info=True,
            include_env_info=True,
            preferred_ext=request.param,
        ),
    }


@pytest.mark.parametrize("call", DATASET_CALLS, ids=call_name)
def test_query(datasets: dict[str, Dataset], call: dict[str, Any]) -> None:
    asked = attrgetter(call["call"])(datasets[call["on"]])
    if call.get("raises"):
        with pytest.raises(ValueError, match="from_folder") as caught:
            asked(*call["args"], **call["kwargs"])
        assert isinstance(caught.value, BloxError)
        return
    got = asked if call["args"] is None else asked(*call["args"], **call["kwargs"])
    assert type(got).__name__ == call["type"]
    assert typed(got) == typed(call["returns"])


def test_every_call_is_tested() -> None:
    assert len(CALLS) == 63
    assert len(DATASET_CALLS) + len(MODULE_CALLS) == len(CALLS)
    assert set(MODULE_CALLS) == {
        "get_model_hash",
        "arch_vec_to_names",
        "get_search_space",
        "get_model_graph",
        "get_all_architectures",
        "get_unique_architectures",
    }


@pytest.mark.parametrize("name", ["get_model_hash", "arch_vec_to_names", "get_search_space"])
def test_search_space(name: str) -> None:
    call = MODULE_CALLS[name]
    function: Callable[..., Any] = getattr(blox.search_space, name)
    assert typed(function(*call["args"], **call["kwargs"])) == typed(call["returns"])


def test_model_graph() -> None:
    call = MODULE_CALLS["get_model_graph"]
    (matrix, labels), original = blox.graph_utils.get_model_graph(*call["args"])
    assert original is not None
    for (got_matrix, got_labels), wanted in (
        ((matrix, labels), call["returns"]),
        (original, call["returns"]["original"]),
    ):
        assert isinstance(got_matrix, np.ndarray)
        assert got_matrix.dtype == np.float64
        assert got_matrix.tolist() == wanted["matrix"]
        assert typed(got_labels) == typed([tuple(label) for label in wanted["labels"]])


@pytest.mark.slow
def test_all_architectures() -> None:
    wanted = MODULE_CALLS["get_all_architectures"]["returns"]
    archs = blox.search_space.get_all_architectures()
    assert type(archs) is GeneratorType
    lines = [f"{arch}\n" for arch in archs]
    assert len(lines) == wanted["count"]
    assert [json.loads(line) for line in lines[:4]] == wanted["first_four"]
    assert json.loads(lines[-1]) == wanted["last"]
    text = "".join(lines).replace(" ", "")
    assert hashlib.sha256(text.encode()).hexdigest() == wanted["sha256_of_json_lines"]


@pytest.mark.slow
def test_unique_architectures() -> None:
    archs = blox.search_space.get_unique_architectures()
    text = json.dumps(archs, separators=(",", ":"))
    assert (type(archs), len(archs)) == (list, 91_125)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "9eab9f5c81584d3b04a97f62fde41df242d026111ff8228d377cb93fa8ad0fa5"
    )
