"""The published functions outside the data set, and code written for the published package."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import blox
from blox_core.errors import ArchitectureError
from blox_core.space import SPACE_SIZE, index_of
from blox_store.errors import PickleNotAllowed, ReleaseMissing
from blox_store.release.header import join_header, new_header

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
NO_PATH = [[[0], [1, 0, 0, 0]], *ARCH[1:]]
GOLDEN = Path(__file__).parents[2] / "assets" / "golden"
ALIASES = json.loads((GOLDEN / "aliases.json").read_text())
KINDS = ("base-0", "ext-0", "env-0", "info", "bench-pixel-4")


def test_the_published_readme_runs_unchanged(golden: Path) -> None:
    folder, arch = str(golden / "release-e12"), ARCH
    d = blox.from_folder(folder)
    assert d.full_info(arch)["model_hash"] == "d12bdf3a22d1f5579784bba73db78539"
    assert (d.val_acc(arch), d.test_acc(arch)) == (24.48, 65.37)
    d = blox.from_folder(
        folder,
        extended=True,
        include_static_info=True,
        include_env_info=True,
        preferred_ext=["blox", "csv"],
    )
    info = d.full_info(arch)
    assert (d.val_acc(arch), d.test_acc(arch), info["info"]["params"]) == (24.48, 65.37, 2418628)
    assert info["env"]["torch_version"] == "1.9.0"


def test_the_default_formats_are_looked_up_at_every_call(
    golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blox.dataset, "preferred_ext", ["pickle"])
    folder = golden / "release-e12"
    assert blox.from_folder(folder).header["format"] == "pickle"
    assert blox.from_folder(folder, preferred_ext="csv").header["format"] == "csv"


@pytest.mark.parametrize("release", ["release-e12", "release-e200"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["blox", "csv", "pickle"])
def test_read_dataset_file(golden: Path, release: str, kind: str, suffix: str) -> None:
    expected = json.loads((golden / release / "expected.json").read_text())[f"blox-{kind}"]
    header, rows = blox.io.read_dataset_file(golden / release / f"blox-{kind}.{suffix}", fast=False)
    assert rows == expected["rows"]
    own = ("format", "column_types")
    assert {k: header[k] for k in header if k not in own} == {
        k: v for k, v in expected["header"].items() if k not in own
    }
    assert header["format"] == {"blox": "custom"}.get(suffix, suffix)


def test_read_dataset_file_reads_a_pickle_by_its_name_only(golden: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "blox-info.blox"
    disguised.write_bytes((golden / "release-e12" / "blox-info.pickle").read_bytes())
    with pytest.raises(PickleNotAllowed):
        blox.io.read_dataset_file(disguised)
    with pytest.raises(ReleaseMissing):
        blox.io.read_dataset_file(str(tmp_path / "nothing.blox"))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "blox-info.pickle"
    path.write_bytes(
        join_header({**new_header("info"), "format": "pickle"}) + pickle.dumps([Hostile()])
    )
    with pytest.raises(ValueError, match=r"blox-info\.pickle"):
        blox.io.read_dataset_file(path)
    assert not (tmp_path / "touched").exists()


def test_model_hash_of_raw_and_invalid_architectures() -> None:
    for alias in ALIASES["aliases"]:
        assert blox.search_space.get_model_hash(alias["arch_vec"]) == alias["hash"]
    assert blox.search_space.get_model_hash(NO_PATH) is None
    assert blox.graph_utils.get_model_graph(NO_PATH)[0] is None


def test_model_hash_of_the_whole_graph() -> None:
    hash_of = blox.search_space.get_model_hash
    assert hash_of(ARCH, minimize=False) == hash_of(ARCH)
    assert hash_of(NO_PATH, minimize=False) is not None
    alone = [[[1], [2, 0, 1, 0]], *ARCH[1:]]
    assert hash_of(alone, minimize=False) != hash_of(alone)


def test_ops_that_are_numbered_otherwise() -> None:
    ops = ["bconv", "conv", "mbconv"]
    renumbered = [[[1], [0, 1, 0, 0]], [[0], [0, 1, 0, 1]], [[1], [0, 1, 1, 1]]]
    hash_of, graph_of = blox.search_space.get_model_hash, blox.graph_utils.get_model_graph
    assert hash_of(renumbered, ops) == hash_of(ARCH) == hash_of(ARCH, ["conv", "mbconv", "bconv"])
    assert graph_of(renumbered, ops)[0][1] == graph_of(ARCH)[0][1]
    with pytest.raises(ArchitectureError, match="names from conv, mbconv, bconv"):
        hash_of(ARCH, ["conv", "pool"])
    with pytest.raises(ArchitectureError, match="names from conv, mbconv, bconv"):
        hash_of(ARCH, "conv")
    with pytest.raises(ArchitectureError, match="op numbers below 2"):
        graph_of(ARCH, ["conv", "bconv"])


@pytest.mark.parametrize(
    "nonsense",
    [None, "arch", ARCH[:2], [[[-1], [0, 1, 0, 0]], *ARCH[1:]], [[[3], [0, 1, 0, 0]], *ARCH[1:]]],
)
def test_nonsense_is_an_error(nonsense: Any) -> None:
    for function in (
        blox.search_space.get_model_hash,
        blox.search_space.arch_vec_to_names,
        blox.graph_utils.get_model_graph,
    ):
        with pytest.raises(ArchitectureError):
            function(nonsense)


def test_random_architectures() -> None:
    drawn = blox.search_space.get_random_architectures
    archs = drawn(200, seed=5)
    assert len({index_of(arch) for arch in archs}) == 200
    assert archs == drawn(200, seed=5)
    assert archs != drawn(200, seed=6)
    assert drawn(20) != drawn(20)
    with pytest.raises(ArchitectureError, match=f"from 0 to {SPACE_SIZE}"):
        drawn(SPACE_SIZE + 1)


def test_random_architectures_leave_global_generators_alone() -> None:
    before = np.random.get_state()[1].tolist(), random.getstate()
    blox.search_space.get_random_architectures(10, seed=1)
    blox.search_space.get_random_architectures(10)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before


def test_the_search_space_is_a_new_list_at_every_call() -> None:
    blox.search_space.get_search_space()[0][0].append(1)
    assert blox.search_space.get_search_space() == [[[3], [3, 2, 2, 2]]] * 3


def test_the_graph_with_and_without_what_computes_nothing() -> None:
    alone = [[[1], [2, 0, 1, 0]], *ARCH[1:]]
    (matrix, labels), original = blox.graph_utils.get_model_graph(alone)
    whole, nothing = blox.graph_utils.get_model_graph(alone, minimize=False)
    assert nothing is None
    assert labels[1] == ("bconv", 0)
    assert whole[1][1:3] == [("mbconv", 0), ("bconv", 0)]
    assert matrix.shape == (len(labels), len(labels)) == (10, 10)
    assert original[0].tolist() == whole[0].tolist()
    assert original[1] == whole[1]


def test_models() -> None:
    network = blox.model.get_model(ARCH, num_classes=10, stem=8)
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    with pytest.raises(ValueError, match="no path"):
        blox.model.get_model(NO_PATH)
