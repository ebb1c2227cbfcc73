"""Parameters and FLOPs of all architectures are the published ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ptflops import get_model_complexity_info

from blox_core.complexity import params_and_flops
from blox_core.errors import RecipeError
from blox_core.model import build_model
from blox_core.recipe import ModelShape, preset
from blox_core.space import DISTINCT_CELLS, arch_vec
from tests.support.exports import FLOPS_DIGEST, PARAMS_DIGEST

CIFAR100 = preset("cifar100").shape
GOLDEN = json.loads((Path(__file__).parents[2] / "assets/golden/models.json").read_text())


def digest(counts: NDArray[np.int64]) -> str:
    return hashlib.sha256(counts.astype("<u4").tobytes()).hexdigest()


def test_published_counts() -> None:
    params, flops = params_and_flops(CIFAR100)
    assert digest(params) == PARAMS_DIGEST
    assert digest(flops) == FLOPS_DIGEST
    for golden in GOLDEN:
        assert params[golden["index"]] == golden["params"]
        assert flops[golden["index"]] == golden["flops"]


# Each cell stands once in each stage.
EVERY_CELL = [
    cell + DISTINCT_CELLS * ((cell + 1) % DISTINCT_CELLS) + DISTINCT_CELLS**2 * (44 - cell)
    for cell in range(DISTINCT_CELLS)
]


@pytest.mark.parametrize(
    ("resolution", "indices"),
    [
        pytest.param(9, EVERY_CELL[::15], id="few"),
        pytest.param(9, EVERY_CELL, id="9", marks=pytest.mark.slow),
        pytest.param(32, EVERY_CELL, id="32", marks=pytest.mark.slow),
    ],
)
def test_ptflops_counts_the_same_in_other_sizes(resolution: int, indices: list[int]) -> None:
    params, flops = params_and_flops(ModelShape(classes=10, stem_channels=2, resolution=resolution))
    for index in indices:
        model = build_model(arch_vec(index), 10, 2)
        assert params[index] == sum(p.numel() for p in model.parameters())
        assert flops[index] == whole_model_flops(model, resolution)


def whole_model_flops(model: torch.nn.Module, resolution: int) -> int:
    flops, _ = get_model_complexity_info(
        model,
        (3, resolution, resolution),
        as_strings=False,
        print_per_layer_stat=False,
        backend_specific_config={"count_functional": False},
    )
    return int(flops)


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"stem_channels": 5}, {"resolution": 7}])
def test_impossible_sizes(wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(RecipeError, match=f"recipe field {name} = {value}: .* is allowed"):
        replace(CIFAR100, **wrong)
