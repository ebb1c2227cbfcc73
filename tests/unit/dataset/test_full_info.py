"""Everything of one architecture: which parts, in which order, and what is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import blox
from blox_core.errors import ArchitectureError
from blox_core.space import arch_vec, index_of, model_hash
from blox_store.dataset import Dataset, from_folder
from blox_store.errors import QueryError

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
ABSENT = [[[0], [2, 1, 1, 1]]] * 3


def test_the_parts_that_were_asked_for(full: Dataset) -> None:
    plain = [*full.columns[1:], "model_hash", "seed"]
    asked: dict[str, Any] = {"include_static_info": False, "include_env_info": False}
    assert list(full.full_info(ARCH, devices=False, **asked)) == plain
    assert list(full.full_info(ARCH, devices="jetson", **asked)) == [*plain, "jetson"]
    assert list(full.full_info(ARCH, devices=["pixel-4", "jetson"], include_env_info=False)) == [
        *plain,
        "pixel-4",
        "jetson",
        "info",
    ]
    assert list(full.full_info(ARCH)) == [*plain, "jetson", "pixel-4", "info", "env"]


def test_the_list_has_the_values_of_the_dict(full: Dataset) -> None:
    assert full.bench_info is not None
    arch = int(full.bench_info.indices[0])
    info = full.full_info(arch, seed=1)
    rest = [list(info.pop(part).values()) for part in ("jetson", "pixel-4", "info", "env")]
    text, seed = info.pop("model_hash"), info.pop("seed")
    assert (text, seed) == (model_hash(arch_vec(arch)), 1)
    assert full.full_info(arch, seed=1, return_dict=False) == [text, *info.values(), seed, *rest]


def test_training_and_environment_are_of_the_same_seed(full: Dataset) -> None:
    assert full.env_info is not None
    for _ in range(20):
        info = full.full_info(ARCH)
        assert info["test_top1"] == full.test_acc(ARCH, seed=info["seed"])
        assert info["env"] == full.env_info.env(ARCH, info["seed"])
    assert full.env_info.env(ARCH, 0) != full.env_info.env(ARCH, 1)


def test_an_architecture_that_is_not_there(full: Dataset) -> None:
    assert full.full_info(ABSENT) is None
    assert full.full_info(ABSENT, return_dict=False) is None
    assert full.latency(ABSENT) is None
    assert full.latency(ABSENT, return_dict=True) is None
    assert full.params(ABSENT) is full.flops(ABSENT) is full.arch_vec(ABSENT) is None


def test_many_architectures(full: Dataset) -> None:
    index, absent = index_of(ARCH), index_of(ABSENT)
    assert full.full_info([index, absent], seed=0) == [full.full_info(ARCH, seed=0), None]


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"include_static_info": True}, "static info"),
        ({"include_env_info": True}, "environment"),
        ({"devices": "pixel-4"}, "latency"),
    ],
)
def test_a_part_that_is_not_loaded(two_seeds: Path, asked: dict[str, Any], what: str) -> None:
    d = from_folder(two_seeds, devices=False)
    with pytest.raises(QueryError, match=f"no {what} files are loaded: load them, from_folder"):
        d.full_info(ARCH, **asked)
    with pytest.raises(ValueError, match="static info"):
        d.params(ARCH)
    with pytest.raises(ValueError, match="latency"):
        d.latency(ARCH)


def test_a_device_that_is_not_loaded(full: Dataset) -> None:
    for devices in ("pixel-5", ["pixel-4", "pixel-5"], True, 3):
        with pytest.raises(QueryError, match=r"the loaded devices are \['jetson', 'pixel-4'\]"):
            full.full_info(ARCH, devices=devices)


def test_a_seed_that_is_not_loaded(full: Dataset) -> None:
    with pytest.raises(QueryError, match="the loaded seeds are"):
        full.full_info(ARCH, seed=2)


@pytest.mark.parametrize("arch", [ARCH, [[[2], [2, 0, 0, 1]], *ARCH[1:]]])
def test_by_graph(full: Dataset, small: Dataset, arch: Any) -> None:
    graph = blox.graph_utils.get_model_graph(arch)
    whole, _ = blox.graph_utils.get_model_graph(arch, minimize=False)
    wanted = full.full_info(arch, seed=0)
    for given in (graph, graph[0], (whole, None), whole, list(graph)):
        assert full.full_info_by_graph(given, seed=0) == wanted
    assert small.full_info_by_graph(graph, None, False, return_dict=False) == small.full_info(
        arch, devices=False, return_dict=False
    )


def test_by_a_graph_that_no_architecture_has(full: Dataset) -> None:
    (matrix, labels), _ = blox.graph_utils.get_model_graph(ARCH)
    assert full.full_info_by_graph((matrix, [labels[0], *[("conv", 0)] * 9, labels[-1]])) is None
    assert full.full_info_by_graph((matrix * 0, labels)) is None


@pytest.mark.parametrize("graph", [None, "graph", (), (1, 2, 3)])
def test_what_is_no_graph(full: Dataset, graph: Any) -> None:
    with pytest.raises(ArchitectureError, match="what get_model_graph returns"):
        full.full_info_by_graph(graph)
