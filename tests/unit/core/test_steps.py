"""A step: what it asks of the device, and that it can be recorded and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from blox_core.recipe import Recipe
from blox_core.training import replay, trainer
from blox_core.training.batches import Batches, kept_batches
from blox_core.training.optimizer import Optimizer
from blox_core.training.replay import Replayed, record_graph, runner
from blox_core.training.steps import EvaluationStep, TrainingStep
from blox_core.training.tally import Tally
from blox_core.training.trainer import initial_model
from tests.support.synthetic import (
    ARCHITECTURE,
    AUGMENTED,
    FEW,
    RECIPE,
    SEED,
    Observer,
    figures,
    run,
    state,
    synthetic_data,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
# Each makes the host wait for a GPU, or memory whose size depends on values.
SYNCHRONOUS = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::bincount",
    "aten::masked_select",
    "aten::equal",
}


class Operations(TorchDispatchMode):
    """Notes the operations that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(func.name().partition(".")[0])
        return func(*args, **(kwargs or {}))


def steps(recipe: Recipe) -> tuple[Batches, TrainingStep, EvaluationStep]:
    model = initial_model(ARCHITECTURE, recipe, SEED)
    batches = Batches(recipe, synthetic_data(recipe), CPU)
    optimizer, tally = Optimizer(model, recipe), Tally(CPU)
    optimizer.set_learning_rate(recipe.lr)
    training = TrainingStep(model, optimizer, batches, recipe, tally)
    return batches, training, EvaluationStep(model, batches, recipe, tally)


@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16"])
def test_no_step_waits_for_the_device(precision: str) -> None:
    batches, training, evaluation = steps(replace(AUGMENTED, precision=precision))
    positions, held_out = list(batches.training(SEED, 1)), list(batches.test())
    with Operations() as operations:
        training(positions[0])
        evaluation(held_out[0])
    assert "aten::convolution" in operations.names
    assert "aten::_fused_sgd_" in operations.names
    # torch's fused SGD reads the learning rate by itself where both are on a CPU.
    assert not SYNCHRONOUS & operations.names


def test_what_a_step_changes_is_told() -> None:
    """Nothing else decides what the next one does: after a restoration it does the same again."""
    batches, training, evaluation = steps(AUGMENTED)
    parts = (next(batches.training(SEED, 1)), next(batches.validation()))
    for step, positions in zip((training, evaluation), parts, strict=True):
        before = [tensor.clone() for tensor in step.changed]
        step(positions)
        once = [tensor.clone() for tensor in step.changed]
        assert not all(map(torch.equal, before, once))
        with torch.no_grad():
            for tensor, value in zip(step.changed, before, strict=True):
                tensor.copy_(value)
        step(positions)
        assert all(map(torch.equal, step.changed, once))


def test_recording_leaves_everything_as_it_was(fake_cuda: list[str]) -> None:
    value = torch.zeros(2)
    calls: list[float] = []

    def step() -> None:
        value.add_(1)
        calls.append(value[0].item())

    assert callable(record_graph(step, [value]))
    assert fake_cuda == ["wait", "warm-up", "wait", "thread_local"]
    assert calls == [1, 2, 3, 4]
    assert value.tolist() == [0, 0]


def recorded_on_the_cpu(step: Callable[[], None], changed: Sequence[Tensor]) -> replay.Replay:
    """Record as on a GPU, where recording runs nothing; the replay runs the step."""
    record_graph(step, changed)
    return step


@pytest.fixture
def made(fake_cuda: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Replayed]:
    """Replay steps in trainings, on the CPU; return what does it."""
    made: list[Replayed] = []

    def replaying(step: replay.Step, recipe: Recipe, device: torch.device) -> Replayed:
        made.append(Replayed(step, recorded_on_the_cpu))
        return made[-1]

    monkeypatch.setattr(trainer, "runner", replaying)
    return made


both_recipes = pytest.mark.parametrize("recipe", [RECIPE, AUGMENTED], ids=["plain", "augmented"])


@both_recipes
@pytest.mark.parametrize("epochs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_replayed_training_is_that_of_eager_steps(
    recipe: Recipe, epochs: int, request: pytest.FixtureRequest
) -> None:
    eager, replayed, recipe = Observer(), Observer(), replace(recipe, epochs=epochs)
    expected = figures(run(recipe, on_epoch=eager))
    made = request.getfixturevalue("made")
    assert figures(run(recipe, on_epoch=replayed)) == expected
    # Batches of 8 and, as the last, 4; of validation and test images 4, 1 and 3.
    assert [sorted(one._recorded) for one in made] == [[4, 8], [1, 3, 4]]
    final = [observer.reports[-1].checkpoint() for observer in (eager, replayed)]
    assert state(final[0]) == state(final[1])


@both_recipes
@pytest.mark.parametrize(
    "sizes", [FEW, pytest.param({}, marks=pytest.mark.slow)], ids=["few", "all"]
)
@pytest.mark.usefixtures("made")
def test_replayed_training_goes_on_to_the_same_bits(recipe: Recipe, sizes: dict[str, int]) -> None:
    whole, resumed, recipe = Observer(), Observer(), replace(recipe, epochs=2, **sizes)
    run(recipe, on_epoch=whole)
    run(recipe, checkpoint=whole.reports[0].checkpoint(), on_epoch=resumed)
    final = [observer.reports[-1].checkpoint() for observer in (whole, resumed)]
    assert state(final[0]) == state(final[1])


def test_steps_are_replayed_on_a_gpu_unless_the_recipe_says_eager() -> None:
    _, step, _ = steps(RECIPE)
    assert isinstance(runner(step, RECIPE, CUDA), Replayed)
    assert runner(step, replace(RECIPE, cuda_graphs=False), CUDA) is step
    assert runner(step, RECIPE, CPU) is step


def test_batches_are_kept_for_the_next_model() -> None:
    data = synthetic_data(AUGMENTED)
    first = kept_batches(AUGMENTED, data, CPU)
    assert kept_batches(AUGMENTED, data, torch.device("cpu")) is first
    assert kept_batches(RECIPE, data, CPU) is not first


def test_every_epoch_is_in_the_same_memory() -> None:
    batches, _, _ = steps(AUGMENTED)
    place = batches._epoch_images.data_ptr()
    inputs = []
    for epoch in (1, 2):
        positions = next(batches.training(SEED, epoch))
        pixels, _ = batches.training_batch(positions)
        inputs.append(pixels)
        assert batches._epoch_images.data_ptr() == place
    assert not torch.equal(*inputs)


@pytest.mark.parametrize("changes", [{}, {"nesterov": True}, {"momentum": 0.0}])
def test_optimizer_is_plain_sgd(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, precision="fp64", **changes)
    ours, plain = (torch.nn.Linear(3, 2, dtype=torch.float64) for _ in range(2))
    plain.load_state_dict(ours.state_dict())
    optimizer = Optimizer(ours, recipe)
    reference = torch.optim.SGD(
        plain.parameters(),
        lr=0.0,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        foreach=False,
    )
    for rate in (0.1, 0.05, 0.2):
        optimizer.set_learning_rate(rate)
        reference.param_groups[0]["lr"] = rate
        optimizer.clear_gradients()
        reference.zero_grad()
        for model in (ours, plain):
            torch.autograd.backward(model(torch.ones(4, 3, dtype=torch.float64)).square().sum())
        optimizer.step()
        reference.step()
    for mine, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-13, atol=1e-13)
