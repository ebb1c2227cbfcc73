"""Compiled blocks: what is compiled, how often, and that the same comes out as without."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from blox_core.errors import CompilationFailed
from blox_core.model import Network, compiled
from blox_core.model.compiled import blocks_of, compile_blocks
from blox_core.numerics import numerics
from blox_core.recipe import Recipe
from blox_core.space import Architecture, index_of
from blox_core.training.trainer import initial_model
from tests.support.made_once import locked, shared_folder
from tests.support.synthetic import RECIPE, SEED, Observer, figures, run, state

# Few shapes, as each takes seconds: full batches only, and the same ones for both evaluations.
COMPILED = replace(
    RECIPE,
    train_images=16,
    val_images=8,
    test_images=8,
    eval_batch_size=8,
    epochs=2,
    precision="fp64",
    compiled=True,
)
EAGER = replace(COMPILED, compiled=False)
# Together, and each op in each stage.
IN_EVERY_STAGE = [
    [[[0], [1, 1, 0, 0]], [[1], [2, 0, 1, 1]], [[2], [0, 1, 1, 0]]],
    [[[2], [0, 0, 1, 1]], [[0], [1, 1, 1, 1]], [[1], [2, 1, 0, 1]]],
]
# Made of the same ops.
ANOTHER = [[[1], [2, 1, 0, 0]], [[0], [0, 0, 1, 0]], [[2], [1, 1, 1, 1]]]
# In each stage one round of `conv`, one of `mbconv` and three of `bconv`; reductions; the stem.
KINDS = 3 * (1 + 1 + 3) + 3 + 1
STEPS = 2
FIRST_OP = slice(1, 1 + 4)  # behind the stem; a `conv` is four units

# torch's compiler looks at `grad` of a block's input, which is no leaf.
pytestmark = [
    pytest.mark.slow,  # compilers take seconds a block
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.timeout(900),  # half a minute on an idle machine; compilers take what there is
]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is compiled in a folder of all test processes, of which one compiles at a time."""
    folder = shared_folder(tmp_path_factory, "compiled")
    with pytest.MonkeyPatch.context() as patch, locked(folder):
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        patch.setenv("TRITON_CACHE_DIR", str(folder / "triton"))
        yield


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace, differentiate and look up as always, but run the graphs without generating code."""
    original = nn.Module.compile

    def compile_without_code(module: nn.Module, **options: Any) -> None:
        del options["options"]
        original(module, backend="aot_eager", **options)

    monkeypatch.setattr(nn.Module, "compile", compile_without_code)
    torch.compiler.reset()


def graphs() -> int:
    """Return how many graphs this process has compiled."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def model_of(arch_vec: list[Any], recipe: Recipe) -> Network:
    model = initial_model(Architecture(index_of(arch_vec)), recipe, SEED)
    if recipe.compiled:
        compile_blocks(model, deterministic=recipe.deterministic)
    return model


def trained(arch_vec: list[Any], recipe: Recipe) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Return the losses of a few steps and of an evaluation, and the state afterwards."""
    generator = torch.Generator().manual_seed(0)
    model = model_of(arch_vec, recipe)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for step in range(STEPS + 1):
        images = torch.randn(8, 3, 8, 8, generator=generator, dtype=torch.float64)
        model.train(step < STEPS)
        with torch.set_grad_enabled(step < STEPS):
            images = images.to(memory_format=torch.channels_last)
            loss = nn.functional.cross_entropy(model(images), torch.arange(8))
        losses.append(loss.item())
        if step < STEPS:
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return losses, model.state_dict()


@pytest.mark.usefixtures("traced")
def test_what_is_compiled_serves_every_further_network() -> None:
    before = graphs()
    with numerics(COMPILED, torch.device("cpu")):
        for arch_vec in IN_EVERY_STAGE:
            losses, tensors = trained(arch_vec, COMPILED)
            expected, same = trained(arch_vec, EAGER)
            assert losses == pytest.approx(expected, rel=1e-9)
            assert list(tensors) == list(same)
            for name, tensor in tensors.items():
                torch.testing.assert_close(tensor, same[name], rtol=1e-9, atol=1e-9)
            del tensors
            gc.collect()  # the next network finds what was compiled, and nothing of this one
        known = graphs()
        trained(ANOTHER, COMPILED)
    # In training and in evaluation; what both networks are made of was compiled for the first.
    assert known - before == 2 * KINDS
    assert graphs() == known


@pytest.fixture
def first_op(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile the first stage's op alone: generating code takes seconds a block."""
    monkeypatch.setattr(compiled, "blocks_of", lambda model: [*blocks_of(model)][FIRST_OP])


@pytest.mark.usefixtures("first_op")
class TestTraining:
    def test_bits_are_the_same_again_and_after_a_resume(self) -> None:
        whole, again, resumed = Observer(), Observer(), Observer()
        torch.compiler.reset()
        before = graphs()
        result = run(COMPILED, on_epoch=whole)
        known = graphs()
        assert known - before == 2  # a unit, in training and in evaluation
        assert figures(run(COMPILED, on_epoch=again)) == figures(result)
        checkpoint = whole.reports[0].checkpoint()
        rest = run(COMPILED, checkpoint=checkpoint, on_epoch=resumed)
        assert figures(rest) == figures(result)
        ends = [state(seen.reports[-1].checkpoint()) for seen in (whole, again, resumed)]
        assert ends[0] == ends[1] == ends[2]
        assert graphs() == known

    def test_figures_are_those_of_eager_steps(self) -> None:
        ends, losses = [], []
        for recipe in (COMPILED, EAGER):
            observer = Observer()
            result = run(recipe, on_epoch=observer)
            ends.append(observer.reports[-1].checkpoint().model)
            losses.append([*result.curves.train_loss, *result.curves.val_loss])
        assert losses[0] == pytest.approx(losses[1], rel=1e-9)
        for name, tensor in ends[0].items():
            torch.testing.assert_close(tensor, ends[1][name], rtol=1e-9, atol=1e-9)

    def test_a_loss_that_is_not_finite_still_ends_it(self) -> None:
        assert run(replace(COMPILED, lr=1e200)).status == "diverged"


def test_blocks_are_stem_rounds_and_reductions() -> None:
    model = model_of(ANOTHER, EAGER)
    names = {module: name for name, module in model.named_modules()}
    blocks = [names[block] for block in blocks_of(model)]
    assert blocks[:3] == ["stem", "cells.0.op1.0", "cells.0.op1.1"]
    assert blocks[-3:] == ["reductions.0", "reductions.1", "reductions.2"]
    assert len(set(blocks)) == len(blocks) == 1 + (2 + 6) + 4 + (6 + 2) + 3


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    refused = pytest.raises(CompilationFailed, match=r"no-such-compiler.* compiled to False")
    # Not by monkeypatch: a field that is no attribute of the object it would delete afterwards.
    with config.patch({"cpp.cxx": (None, "no-such-compiler")}), refused as caught:
        run(COMPILED)
    assert "\n" not in str(caught.value)
