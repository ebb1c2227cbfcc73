"""Latencies, static information and environments, and a data set as a container."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from blox_core.space import index_of, model_hash
from blox_store.dataset import (
    BenchmarkingDataset,
    Dataset,
    EnvInfoDataset,
    StaticInfoDataset,
    from_folder,
)
from blox_store.errors import NotInRelease, QueryError, ReleaseMismatch
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
ABSENT = [[[0], [2, 1, 1, 1]]] * 3
CANONICAL = [[[0], [2, 0, 1, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]


def test_latencies_are_those_of_the_files(full: Dataset, two_seeds: Path) -> None:
    tables = {name: read_table(two_seeds / f"blox-bench-{name}.blox") for name in full.devices}
    rows = {name: dict(table.rows()) for name, table in tables.items()}
    for text in rows["jetson"]:
        by_device = [[rows["jetson"][text]], [rows["pixel-4"][text]]]
        assert full.latency(text) == by_device
        assert full.latency(text, ["pixel-4", "jetson"]) == by_device[::-1]
        assert full.latency(text, "jetson", return_dict=True) == {
            "jetson": {"latency": rows["jetson"][text]}
        }
    assert full.latency(ARCH, devices=[]) == []


def test_an_architecture_that_one_device_lacks(full: Dataset, two_seeds: Path) -> None:
    there = {row[0] for row in read_table(two_seeds / "blox-bench-jetson.blox").rows()}
    lacking = next(entry[0] for entry in full if entry[0] not in there)
    pixel = full.latency(lacking, "pixel-4")
    assert pixel is not None
    assert full.latency(lacking) == [None, pixel[0]]
    assert full.latency(lacking, "jetson") is None
    assert full.full_info(lacking)["jetson"] is None
    assert full.bench_info is not None
    assert sorted(full.bench_info.indices) == sorted(full.indices)
    assert lacking in full.bench_info


def test_latencies_of_many(full: Dataset) -> None:
    assert full.bench_info is not None
    indices = full.bench_info.files["jetson"].indices
    arrays = full.latency(indices)
    assert isinstance(arrays, list)
    wanted = [full.latency(int(index)) for index in indices]
    assert [[[x], [y]] for x, y in zip(*map(list, arrays), strict=True)] == wanted
    by_name = full.latency(indices, "pixel-4", return_dict=True)
    assert isinstance(by_name, dict)
    assert by_name["pixel-4"]["latency"].tolist() == arrays[1].tolist()
    with pytest.raises(NotInRelease):
        full.latency(full.indices)


def test_static_information(full: Dataset, two_seeds: Path) -> None:
    for text, params, flops, vec in read_table(two_seeds / "blox-info.blox").rows():
        assert (full.params(text), full.flops(text), full.arch_vec(text)) == (params, flops, vec)
        assert full.arch_vec(text) is not full.arch_vec(text)
    indices = full.indices
    for query in (full.params, full.flops):
        got = query(indices)
        assert isinstance(got, np.ndarray)
        assert got.dtype == np.int64
        assert got.tolist() == [query(int(index)) for index in indices]
    assert full.arch_vec(indices) == [full.arch_vec(int(index)) for index in indices]


def test_parts_by_themselves(two_seeds: Path) -> None:
    bench = BenchmarkingDataset(
        [two_seeds / f"blox-bench-{name}.blox" for name in ("pixel-4", "jetson")]
    )
    static = StaticInfoDataset(two_seeds / "blox-info.blox")
    env = EnvInfoDataset(str(two_seeds / "blox-env-1.csv"))
    assert (bench.devices, env.seeds) == (["pixel-4", "jetson"], [1])
    assert (len(bench), len(static), len(env)) == (24, 24, 24)
    assert [row[0] for row in bench] == [model_hash(static.arch_vec(row[0]) or []) for row in bench]
    assert (bench.columns, static.columns[1:]) == (
        ["model_hash", "latency"],
        ["params", "flops", "arch_vec"],
    )
    assert bench.version == 1
    for part in (bench, static, env):
        assert (part.nodes, part.stages, part.ops) == (2, 3, ["conv", "mbconv", "bconv"])
    assert static.search_space == [[[3], [3, 2, 2, 2]]] * 3
    assert static[ARCH] == [
        model_hash(ARCH),
        [[static.params(ARCH), static.flops(ARCH), static.arch_vec(ARCH)]],
    ]
    d = Dataset(two_seeds / "blox-base-1.csv", bench, static, env)
    assert (d.bench_info, d.static_info, d.env_info) == (bench, static, env)
    assert (ARCH in static, ABSENT in static) == (True, False)
    with pytest.raises(NotInRelease, match="is in no static file"):
        static[ABSENT]


def test_a_seed_whose_environments_are_not_loaded(two_seeds: Path) -> None:
    env = EnvInfoDataset(two_seeds / "blox-env-1.csv")
    with pytest.raises(QueryError, match=r"environments of the seeds \[1\] are loaded"):
        env.env(ARCH, 0)
    with pytest.raises(ReleaseMismatch, match="each seed needs both"):
        Dataset(two_seeds / "blox-base-0.blox", env_info=env)


def test_membership(small: Dataset) -> None:
    for arch in (ARCH, index_of(ARCH), model_hash(ARCH)):
        assert arch in small
    nothing = ("0" * 32, "nonsense", -1, None, 0.5, [[[0], [0, 0, 0, 0]]] * 3, [1, 2])
    for arch in (ABSENT, index_of(ABSENT), *nothing):
        assert arch not in small


def test_iteration_gives_what_the_hash_gives(full: Dataset) -> None:
    entries = list(full)
    assert len(entries) == len(full) == 24
    for entry in entries:
        assert full[entry[0]] == entry
        text, training, static, bench, env = entry
        assert len(text) == 32
        assert [len(part) for part in (training, static, bench, env)] == [2, 1, 2, 2]
    assert [index_of(entry[2][0][2]) for entry in entries] == full.indices.tolist()


def test_parts_that_are_not_loaded_are_none(two_seeds: Path) -> None:
    d = from_folder(two_seeds, seeds=0, devices=False)
    text, training, *others = d[ARCH]
    assert (text, len(training), others) == (model_hash(ARCH), 1, [None, None, None])
    with pytest.raises(KeyError, match="is in no training file"):
        d[ABSENT]


def test_properties(full: Dataset) -> None:
    assert (full.epochs, full.dataset, full.version) == (12, "cifar100", 1)
    assert (full.nodes, full.stages, full.ops) == (2, 3, ["conv", "mbconv", "bconv"])
    assert full.search_space == [[[3], [3, 2, 2, 2]]] * 3
    assert full.header["part"] == "base"
    full.ops.append("pool")
    full.seeds.clear()
    full.header["search_space"]["ops"].clear()
    full.search_space[0].clear()
    assert full.search_space[0] == [[3], [3, 2, 2, 2]]
    assert (len(full.ops), full.seeds, full.header["epochs"]) == (3, [0, 1], 12)


def test_what_a_data_set_says_of_itself(two_seeds: Path) -> None:
    full = from_folder(two_seeds, extended=True, include_static_info=True, include_env_info=True)
    loaded = "ext, static info, environments, latencies on ['jetson', 'pixel-4']"
    assert repr(full) == f"<Dataset: cifar100, 12 epochs, seeds [0, 1], {loaded}>"
    full.val_acc(ARCH, seed=0)
    assert repr(full) == f"<Dataset: cifar100, 24 architectures, 12 epochs, seeds [0, 1], {loaded}>"
    least = from_folder(two_seeds, seeds=1, devices=False)
    assert repr(least) == "<Dataset: cifar100, 12 epochs, seeds [1]>"


def test_predicted_latencies_are_counted(two_seeds: Path, tmp_path: Path) -> None:
    release = Path(shutil.copytree(two_seeds, tmp_path / "release"))
    assert from_folder(release).predicted == from_folder(release, devices=False).predicted == {}
    path = release / "blox-bench-jetson.blox"
    table = read_table(path)
    write_table(Table(header=table.header | {"predicted": 7}, columns=table.columns), path, "blox")
    d = from_folder(release)
    assert d.predicted == {"jetson": 7}
    assert "latencies on ['jetson', 'pixel-4'], predicted latencies {'jetson': 7}>" in repr(d)


def test_a_release_of_made_up_figures_says_so(two_seeds: Path, tmp_path: Path) -> None:
    release = Path(shutil.copytree(two_seeds, tmp_path / "release"))
    assert not from_folder(release).is_simulated
    (release / "SIMULATED").write_text("The figures in this folder are made up.")
    d = from_folder(release)
    assert d.is_simulated
    assert repr(d).endswith(", SIMULATED figures>")
    beside = two_seeds / "blox-base-0.blox"
    assert Dataset([beside, release / "blox-base-1.csv"]).is_simulated
    assert not Dataset(beside).is_simulated
