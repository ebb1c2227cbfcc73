"""The networks are the published ones: counts, and numbers in float64."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from blox_core.errors import ArchitectureError, RecipeError
from blox_core.model import Network, Reduction, TwoOps, build_model
from blox_core.model.ops import Residual, Unit
from blox_core.space import DISTINCT_CELLS, Architecture, arch_vec

GOLDEN = json.loads((Path(__file__).parents[2] / "assets/golden/models.json").read_text())
TOLERANCE = 1e-9
TRAIN_LABELS = torch.tensor([3, 14, 15, 92])


@cache
def u(n: int, seed: int) -> Tensor:
    """Return the golden pseudo-random numbers in -1 … 1, float64 (n,)."""
    h = (np.arange(n, dtype=np.uint64) * 2654435761 + seed * 40503 + 12345).astype(np.uint32)
    h = (h ^ h >> 15) * np.uint32(2246822519)
    h = (h ^ h >> 13) * np.uint32(3266489917)
    h ^= h >> 16
    return torch.from_numpy(h / 2.0**31 - 1)


def initialise(model: nn.Module) -> None:
    """Give every parameter and buffer its golden value."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight = layer.weight.data
            bound = math.sqrt(6 / (weight.numel() / weight.shape[0]))
            weight.copy_(u(weight.numel(), 1).reshape(weight.shape) * bound)
            layer.bias.data.copy_(0.1 * u(layer.bias.numel(), 2))
        elif isinstance(layer, nn.BatchNorm2d):
            channels = layer.num_features
            layer.weight.data.copy_(1 + 0.2 * u(channels, 3))
            layer.bias.data.copy_(0.1 * u(channels, 4))
            layer.running_mean.copy_(0.1 * u(channels, 5))
            layer.running_var.copy_(1 + 0.5 * u(channels, 6))


def images(batch: int) -> Tensor:
    return u(batch * 3 * 32 * 32, 7).reshape(batch, 3, 32, 32)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            one, id=str(one["index"]), marks=[pytest.mark.slow] * (one["conv_layers"] > 52)
        )
        for one in GOLDEN
    ],
)
def golden(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def golden_model(golden: dict[str, Any]) -> Network:
    model = build_model(golden["arch_vec"]).double()
    initialise(model)
    return model


def params_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def assert_sums(logits: Tensor, golden: dict[str, Any]) -> None:
    """Compare sum and sum of squares; a sum relative to the root of the sum of squares."""
    assert float(logits.square().sum()) == pytest.approx(golden["sumsq"], rel=TOLERANCE)
    scale = math.sqrt(golden["sumsq"])
    assert float(logits.sum()) == pytest.approx(golden["sum"], rel=0, abs=TOLERANCE * scale)


class TestGoldenModel:
    def test_parts(self, golden: dict[str, Any], golden_model: Network) -> None:
        model = golden_model
        assert params_of(model) == golden["params"]
        assert golden["params_by_part"] == {
            "stem": params_of(model.stem),
            "cells": [params_of(cell) for cell in model.cells],
            "reductions": [params_of(reduction) for reduction in model.reductions],
            "classifier": params_of(model.classifier),
        }
        convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
        assert len(convs) == golden["conv_layers"]

    def test_evaluation(self, golden: dict[str, Any], golden_model: Network) -> None:
        check = golden["eval_check"]
        with torch.no_grad():
            logits = golden_model.eval()(images(2))
        assert logits[0, :8].tolist() == pytest.approx(check["logits0_first8"], rel=TOLERANCE)
        assert_sums(logits, check)

    @pytest.mark.slow
    def test_training(self, golden: dict[str, Any], golden_model: Network) -> None:
        check = golden["train_check"]
        model = deepcopy(golden_model).train()  # the running statistics change
        logits = model(images(4))
        loss = nn.functional.cross_entropy(logits, TRAIN_LABELS)
        loss.backward()
        gradients = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
        assert_sums(logits.detach(), check)
        assert loss.item() == pytest.approx(check["loss"], rel=TOLERANCE)
        assert gradients.norm().item() == pytest.approx(check["grad_norm"], rel=TOLERANCE)


def test_raw_vector_builds_the_canonical_model() -> None:
    parallel = [[[0], [2, 0, 1, 1]]] * 3
    model = build_model(parallel, 10, 4)
    assert isinstance(model.cells[0], TwoOps)
    assert state_shapes(model) == state_shapes(build_model([[[2], [0, 0, 1, 1]]] * 3, 10, 4))


def state_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


@pytest.mark.parametrize("number", range(DISTINCT_CELLS))
def test_cell_adds_what_the_arch_vec_says(number: int) -> None:
    cell = Architecture(number).cells[0]
    _, _, prev, from_input, skip = cell
    module = build_model(arch_vec(number), 10, 2).cells[0].eval()
    x = torch.linspace(-1, 1, 2 * 2 * 8 * 8).reshape(2, 2, 8, 8)
    with torch.no_grad():
        if not prev and not skip:
            expected = module.op2(x)
        else:
            y = module.op1(x)
            taken = {(1, 0): y, (0, 1): x, (1, 1): y + x}[prev, from_input]
            expected = module.op2(taken) + (y if skip else 0)
        assert torch.equal(module(x), expected)


def test_first_op_is_fed_the_cell_input_itself() -> None:
    model = build_model(arch_vec(12), 10, 2).eval()
    seen: list[Tensor] = []
    model.cells[0].op1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.stem.register_forward_hook(lambda _, args, out: seen.append(out))
    with torch.no_grad():
        model(torch.ones(1, 3, 8, 8))
    stem_output, op_input = seen
    assert op_input is stem_output


def test_residual_adds_its_input() -> None:
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert torch.equal(Residual(nn.Identity())(x), 2 * x)


def test_unit_keeps_the_size() -> None:
    assert Unit(3, 5, 5)(torch.ones(2, 3, 7, 9)).shape == (2, 5, 7, 9)


@pytest.mark.parametrize(("size", "halved"), [(8, 4), (9, 4), (2, 1), (3, 1)])
def test_reduction_halves_the_size(size: int, halved: int) -> None:
    assert Reduction(2)(torch.ones(2, 2, size, size)).shape == (2, 4, halved, halved)


def test_smallest_image() -> None:
    model = build_model(arch_vec(91124), num_classes=7, stem_channels=2).eval()
    assert model(torch.ones(1, 3, 8, 8)).shape == (1, 7)


def test_invalid_arch_vec() -> None:
    with pytest.raises(ArchitectureError):
        build_model([[[0], [0, 0, 0, 0]]] * 3)


@pytest.mark.parametrize(("classes", "channels"), [(1, 32), (10, 3), (10, 0)])
def test_impossible_sizes(classes: int, channels: int) -> None:
    with pytest.raises(RecipeError, match="allowed"):
        build_model(arch_vec(0), classes, channels)
