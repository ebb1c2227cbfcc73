"""The fidelity study: whether engine and reference trainer differ by more than seeds do.

Digits, the published augmentation, two trainers.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product, repeat
from typing import Any, Final, NamedTuple

import torch

from benchmarks.suite.fidelity.figures import comparisons, conclusion, least_p
from benchmarks.suite.report.benchmark import Benchmark, Found, say, versions
from benchmarks.suite.report.options import Options, number, option, several
from blox_core.data import load_data
from blox_core.recipe import Recipe, preset
from blox_core.result.metrics import Curves
from blox_core.space import SPACE_SIZE, Architecture
from blox_core.training import train
from tests.support import reference_trainer

ENGINE, REFERENCE = "engine", "reference"
DATA_DIR: Final = "data"  # the digits need none
# A lone conv in every stage; conv → conv; and a cell of each kind with all three ops.
ARCHITECTURES: Final = (18639, 20710, 69418)
_INDICES: Final = several(number(int, 0, SPACE_SIZE - 1))


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Options):
    """What is trained how often."""

    architectures: Sequence[int] = option(ARCHITECTURES, "Arch indices to train.", _INDICES)
    seeds: int = option(6, "Trainings of each by each trainer.", number(int, 2))
    epochs: int = option(6, "Epochs of a training.", number(int, 1))
    images: int = option(640, "Training images.", number(int, 2, 1_250))
    device: str = option("cpu", "A cpu or cuda.", str)
    processes: int = option(1, "Trainings at a time.", number(int, 1))

    @property
    def recipe(self) -> Recipe:
        """The recipe of the study: digits with all the augmentation of the published one.

        It is the preset's but for a larger learning rate, so that a few epochs teach something.
        """
        published = preset("cifar100")
        return replace(
            preset("digits"),
            train_images=self.images,
            epochs=self.epochs,
            lr=0.02,
            randaugment_ops=published.randaugment_ops,
            randaugment_magnitude=published.randaugment_magnitude,
            flip_probability=published.flip_probability,
            crop_padding=published.crop_padding,
            cutout_size=published.cutout_size,
        )


class Training(NamedTuple):
    """One training of the study."""

    arch_index: int
    seed: int
    trainer: str


def _measure(options: StudyOptions) -> Found:
    """Hold learning curves of the engine against those of the reference trainer."""
    indices = tuple(dict.fromkeys(options.architectures))
    wanted = [*map(Training._make, product(indices, range(options.seeds), (ENGINE, REFERENCE)))]
    curves: dict[str, dict[int, list[Curves]]] = {
        trainer: {index: [] for index in indices} for trainer in (ENGINE, REFERENCE)
    }
    trained: list[dict[str, Any]] = []
    for training, found in zip(wanted, _all_curves(wanted, options), strict=True):
        curves[training.trainer][training.arch_index].append(found)
        values = {name: array.tolist() for name, array in vars(found).items()}
        trained.append(training._asdict() | values)
        done = f"{len(trained)}/{len(wanted)}: {training.trainer}, {training.arch_index}"
        say(f"{done}, seed {training.seed}: val loss {found.val_loss[-1]:.3f}", aside=True)
    compared = comparisons(curves[ENGINE], curves[REFERENCE], options.recipe)
    say(conclusion(compared))
    title = f"fidelity: mean ± sd of {options.seeds} seeds"
    return [one.row(title, least_p(compared)) for one in compared], {
        "recipe": options.recipe.to_dict(),
        "comparisons": [asdict(one) for one in compared],
        "trainings": trained,
    }


def _all_curves(wanted: Sequence[Training], options: StudyOptions) -> Iterator[Curves]:
    """Yield the curves of trainings in their order, some of them trained at a time."""
    spawning = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
    with ProcessPoolExecutor(options.processes, mp_context=spawning) as pool:
        yield from pool.map(_curves, wanted, repeat(options.recipe), repeat(options.device))


def _curves(training: Training, recipe: Recipe, device: str) -> Curves:
    """Train, and return the curves; no two trainings share a random number."""
    architecture, data = Architecture(training.arch_index), load_data(recipe, DATA_DIR)
    torch.set_num_threads(recipe.cpu_threads)  # the engine does it by itself
    train_one = train if training.trainer == ENGINE else reference_trainer.train
    return train_one(architecture, recipe, training.seed, device=device, data=data).curves


BENCHMARK: Final = Benchmark(
    name="fidelity",
    options=StudyOptions,
    parts={"fidelity": _measure},
    about=lambda options: {"device": options.device, **versions("torch", "torchvision")},
    takes_times=False,
)
