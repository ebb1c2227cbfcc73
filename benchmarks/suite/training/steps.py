"""Part step: milliseconds of a training step, ours in every mode and the reference's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import torch

from benchmarks.suite.report.row import Row
from benchmarks.suite.training.effort import Effort, Modes, measured, published, ratio
from blox_core.data.noise import noise
from blox_core.model import Network
from blox_core.model.compiled import compile_blocks
from blox_core.numerics import numerics
from blox_core.recipe import Recipe
from blox_core.space import Architecture
from blox_core.training.batches import Batches
from blox_core.training.optimizer import Optimizer
from blox_core.training.replay import runner
from blox_core.training.steps import TrainingStep
from blox_core.training.tally import Tally
from blox_core.training.trainer import initial_model
from tests.support.reference_trainer import ReferenceTrainer

SEED: Final = 1
ARCHITECTURE: Final = Architecture(83_352)  # of all architectures the median by FLOPs
REFERENCE: Final = "reference, eager fp32"
EAGER: Final = "ours, eager"
# What each mode changes in the recipe. Blocks are compiled in the run to warm up: minutes.
ON_CPU: Final[Modes] = {
    EAGER: {},
    "ours, compiled": {"compiled": True},
}
ON_CUDA: Final[Modes] = {
    EAGER: {"cuda_graphs": False},
    "ours, graph": {},
    "ours, graph, bf16": {"precision": "bf16"},
    "ours, graph, compiled": {"compiled": True},
    "ours, graph, bf16, compiled": {"precision": "bf16", "compiled": True},
}
AGREEMENT: Final = 1e-10
CHECKED_IMAGES: Final = 8
MOST_RATIO_ON_CPU: Final = 1.0
LEAST_TIME_S: Final = 0.5  # of a run, so that a GPU's short steps are many

Step = Callable[[], object]
Make = Callable[[Network, Recipe, torch.device], Step]


def steps(effort: Effort) -> Iterator[Row]:
    """Check that a step is the reference's, then measure all modes by turns."""
    device, recipe = effort.device, _of_one_batch(effort.batch)
    check(device)
    plain = replace(recipe, precision="fp32", channels_last=False)
    contenders = {REFERENCE: _timed(_reference_step, plain, device)}
    for name, changes in effort.asked(ON_CPU, ON_CUDA).items():
        contenders[name] = _timed(_our_step, replace(recipe, **changes), device)
    runs = measured(contenders, effort.runs)
    for name, values in runs.items():
        yield Row(name, values, "ms")
    reference = runs.pop(REFERENCE)
    for name, values in runs.items():
        most = MOST_RATIO_ON_CPU if name == EAGER and not effort.on_cuda else None
        yield ratio(f"{name} : reference", values, reference, at_most=most)


def check(device: torch.device) -> None:
    """Assert that two steps in float64 end in the reference's weights."""
    recipe = replace(_of_one_batch(CHECKED_IMAGES), precision="fp64", lr=1e-3)
    nets = []
    for make in (_reference_step, _our_step):
        nets.append(_model(recipe, device))
        step = make(nets[-1], recipe, device)
        with numerics(recipe, device):
            step()
            step()
    pairs = zip(*(net.parameters() for net in nets), strict=True)
    difference = max((first - second).abs().max().item() for first, second in pairs)
    if not difference <= AGREEMENT:
        raise AssertionError(f"after two steps weights differ from the reference's by {difference}")


def _timed(make: Make, recipe: Recipe, device: torch.device) -> Callable[[], float]:
    """Return a run of steps, which gives milliseconds a step."""
    step = make(_model(recipe, device), recipe, device)

    def run() -> float:
        steps, start = 0, time.perf_counter()
        with numerics(recipe, device):
            while time.perf_counter() < start + LEAST_TIME_S:
                step()
                steps += 1
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
        return 1000 * (time.perf_counter() - start) / steps

    return run


def _reference_step(net: Network, recipe: Recipe, device: torch.device) -> Step:
    """Return the reference's step on one batch that is on the device."""
    batches = Batches(recipe, noise(recipe), device)
    images, labels = batches.training_batch(next(batches.training(SEED, 1)))
    trainer = ReferenceTrainer(net, recipe, noise(recipe), device=device)
    return lambda: trainer.step(images, labels)


def _our_step(net: Network, recipe: Recipe, device: torch.device) -> Step:
    """Return our step on one batch; it gathers and normalises it, as every step does."""
    batches = Batches(recipe, noise(recipe), device)
    if recipe.compiled:
        compile_blocks(net, deterministic=recipe.deterministic)
    optimizer = Optimizer(net, recipe)
    optimizer.set_learning_rate(recipe.lr)
    step = TrainingStep(net, optimizer, batches, recipe, Tally(device))
    run, positions = runner(step, recipe, device), next(batches.training(SEED, 1))
    return lambda: run(positions)


def _model(recipe: Recipe, device: torch.device) -> Network:
    """Return the measured model, untrained."""
    return initial_model(ARCHITECTURE, recipe, SEED).to(device).train()


def _of_one_batch(images: int) -> Recipe:
    """Return the published recipe for data of one batch."""
    return published(train_images=images, batch_size=images, val_images=1, test_images=1)
