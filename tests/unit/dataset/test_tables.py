"""A data set as a table of Arrow and as a pandas DataFrame."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_core.errors import ExtraMissing
from blox_core.space import model_hash
from blox_store.dataset import Dataset, from_folder
from blox_store.dataset.lazy_file import signed
from blox_store.errors import QueryError

OWN = ["arch_index", "model_hash", "seed"]
STATIC = ["params", "flops", "arch_vec"]


def test_a_row_for_each_architecture_and_seed(full: Dataset) -> None:
    rows = full.to_arrow().to_pylist()
    indices = full.indices.tolist()
    assert [row["arch_index"] for row in rows] == indices * 2
    assert [row["seed"] for row in rows] == [0] * 24 + [1] * 24
    for row in rows:
        index, seed = row["arch_index"], row["seed"]
        info = full.full_info(index, seed=seed)
        assert row["model_hash"] == model_hash(full.arch_vec(index) or [])
        assert {name: row[name] for name in full.columns[1:]} == {
            name: info[name] for name in full.columns[1:]
        }
        assert {name: row[name] for name in STATIC} == info["info"]
        assert {name: row[name] for name in info["env"]} == info["env"]
        for device in full.devices:
            expected = info[device] and info[device]["latency"]
            assert row[f"latency_{device}"] == expected


def test_columns_stand_in_the_order_of_the_parts(full: Dataset) -> None:
    assert full.env_info is not None
    names = [*OWN, *full.columns[1:], *STATIC, *full.env_info.columns[1:]]
    assert full.to_arrow().column_names == [*names, "latency_jetson", "latency_pixel-4"]


def test_only_what_is_loaded(two_seeds: Path) -> None:
    d = from_folder(two_seeds, seeds=1, devices=False)
    assert d.to_arrow().column_names == [*OWN, "val_top1", "test_top1", "train_time_s"]
    assert d.to_pandas("test_top1").columns.tolist() == [*OWN, "test_top1"]


def test_curves_are_lists_of_fixed_size(full: Dataset) -> None:
    schema = full.to_arrow().schema
    for name in ("val_top1", "train_loss"):
        assert str(schema.field(name).type).endswith("double>[12]")


def test_some_columns_of_one_seed(full: Dataset) -> None:
    table = full.to_arrow(["params", "seed", "test_top1"], seed=1)
    assert table.column_names == [*OWN, "params", "test_top1"]
    assert table["seed"].to_pylist() == [1] * 24
    assert table["test_top1"].to_pylist() == full.test_acc(table["arch_index"], seed=1).tolist()
    assert full.to_arrow("flops").column_names == [*OWN, "flops"]


def test_columns_and_seeds_that_are_not_loaded(full: Dataset) -> None:
    with pytest.raises(QueryError, match=r"columns \['loss'\]: those of .* val_top1, test_top1"):
        full.to_arrow(["loss", "val_top1"])
    with pytest.raises(QueryError, match=r"the loaded seeds are \[0, 1\]"):
        full.to_pandas(seed=2)


def test_a_frame_of_pandas(full: Dataset) -> None:
    frame = full.to_pandas(seed=0)
    assert frame["arch_index"].tolist() == full.indices.tolist()
    assert (
        frame["val_top1"][3].tolist() == full.full_info(int(frame["arch_index"][3]), 0)["val_top1"]
    )
    assert frame["params"].tolist() == full.params(frame["arch_index"]).tolist()
    assert frame["arch_vec"].tolist() == full.arch_vec(frame["arch_index"])
    assert np.isnan(frame["latency_jetson"]).sum() == 4
    assert np.array_equal(
        full.val_acc(frame["arch_vec"].tolist(), seed=0), full.val_acc(frame["model_hash"], seed=0)
    )


@pytest.mark.parametrize(
    ("missing", "command"), [("pyarrow", r"\[parquet\]"), ("pandas", r"\[pandas\]")]
)
def test_libraries_that_are_not_installed(
    small: Dataset, monkeypatch: pytest.MonkeyPatch, missing: str, command: str
) -> None:
    small.to_arrow(["params"])  # pyarrow looks for pandas once, and takes this None for it
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ExtraMissing, match=f"{missing} is not installed .*{command}") as error:
        small.to_pandas(["params"])
    assert "\n" not in str(error.value)


def test_trainings_without_an_epoch_in_a_table(no_epochs: Dataset) -> None:
    table: Any = no_epochs.to_arrow(["val_top1"])
    assert table["val_top1"].to_pylist() == [[]] * 24


def test_whole_numbers_that_no_signed_one_holds_stay_as_they_are() -> None:
    small, large = np.array([1, 2**32 - 1], np.uint32), np.array([1, 2**64 - 1], np.uint64)
    assert signed(small).dtype == signed(np.zeros(0, np.uint64)).dtype == np.int64
    assert signed(small).tolist() == [1, 2**32 - 1]
    assert signed(large).tolist() == [1, 2**64 - 1]
