"""The switches of torch: set as the recipe says, then as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from blox_core.numerics import CUBLAS_VARIABLE, numerics
from blox_core.recipe import Recipe, preset

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def switches() -> dict[str, Any]:
    backends: Any = torch.backends
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "debug_mode": torch.get_deterministic_debug_mode(),
        "cudnn_deterministic": backends.cudnn.deterministic,
        "benchmark": backends.cudnn.benchmark,
        "matmul": backends.cuda.matmul.fp32_precision,
        "conv": backends.cudnn.conv.fp32_precision,
        "cpu_matmul": backends.mkldnn.matmul.fp32_precision,
        "cublas": os.environ.get(CUBLAS_VARIABLE),
    }


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = switches()
    yield
    assert switches() == before


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_deterministic(precision: str) -> None:
    recipe = replace(preset("cifar100"), precision=precision, cpu_threads=3)
    with numerics(recipe, CUDA):
        inside = switches()
    expected = "tf32" if precision == "tf32" else "ieee"
    assert inside == {
        "threads": 3,
        "deterministic": True,
        "debug_mode": 2,
        "cudnn_deterministic": True,
        "benchmark": False,
        "matmul": expected,
        "conv": expected,
        "cpu_matmul": "ieee",
        "cublas": ":4096:8",
    }


def test_not_deterministic() -> None:
    with numerics(replace(preset("cifar100"), deterministic=False), CUDA):
        inside = switches()
    assert not inside["deterministic"]
    assert not inside["cudnn_deterministic"]
    assert inside["benchmark"]
    assert inside["cublas"] == os.environ.get(CUBLAS_VARIABLE)


def test_cublas_is_left_alone_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CUBLAS_VARIABLE, raising=False)
    with numerics(preset("digits"), CPU):
        assert CUBLAS_VARIABLE not in os.environ


def test_cublas_setting_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CUBLAS_VARIABLE, ":16:8")
    with numerics(preset("cifar100"), CUDA):
        assert os.environ[CUBLAS_VARIABLE] == ":4096:8"
    assert os.environ[CUBLAS_VARIABLE] == ":16:8"


@pytest.mark.parametrize("recipe", [preset("digits")])
def test_restored_after_an_error(recipe: Recipe) -> None:
    with pytest.raises(KeyError), numerics(recipe, CUDA):
        raise KeyError
