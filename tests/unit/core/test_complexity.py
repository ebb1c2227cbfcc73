"""Parameters and FLOPs of all architectures are the published ones."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from blox_core.complexity import params_and_flops
from blox_core.errors import ExtraMissing, RecipeError
from blox_core.model import build_model
from blox_core.space import SPACE_SIZE, arch_vec

GOLDEN = json.loads((Path(__file__).parents[2] / "assets/golden/models.json").read_text())
PARAMS_DIGEST = "6347c9e400327c628cb55b2c19f57218d4d8b79a682bb7a84a6ab25e5910ba78"
FLOPS_DIGEST = "f7c79c9d1c3bcbd86aa4aaca60f8d1c69a698520244c47c0daec32eff083466a"


def digest(counts: NDArray[np.int64]) -> str:
    return hashlib.sha256(counts.astype("<u4").tobytes()).hexdigest()


def test_published_counts(capfd: pytest.CaptureFixture[str]) -> None:
    random_state = torch.get_rng_state()
    params, flops = params_and_flops()
    assert digest(params) == PARAMS_DIGEST
    assert digest(flops) == FLOPS_DIGEST
    for golden in GOLDEN:
        assert params[golden["index"]] == golden["params"]
        assert flops[golden["index"]] == golden["flops"]
    assert torch.equal(random_state, torch.get_rng_state())
    assert capfd.readouterr() == ("", "")


def test_other_sizes() -> None:
    params, flops = params_and_flops(num_classes=10, stem_channels=2, resolution=9)
    for index in (0, 12_345, SPACE_SIZE - 1):
        model = build_model(arch_vec(index), 10, 2)
        assert params[index] == sum(p.numel() for p in model.parameters())
        assert flops[index] == whole_model_flops(model, 9)


def whole_model_flops(model: torch.nn.Module, resolution: int) -> int:
    from ptflops import get_model_complexity_info

    flops, _ = get_model_complexity_info(
        model,
        (3, resolution, resolution),
        as_strings=False,
        print_per_layer_stat=False,
        backend_specific_config={"count_functional": False},
    )
    return int(flops)


@pytest.mark.parametrize("wrong", [{"num_classes": 1}, {"stem_channels": 5}, {"resolution": 7}])
def test_impossible_sizes(wrong: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="is allowed"):
        params_and_flops(**wrong)


def test_without_ptflops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ptflops", None)
    with pytest.raises(ExtraMissing, match=r"ptflops.*pip install '\.\[worker\]'"):
        params_and_flops()
