"""Simulated trainings: figures in the shape of real ones, the same ones whatever happens."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_core.checkpoint.file import new_checkpoint
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.errors import CheckpointError, RecipeError, TrainingStopped
from blox_core.recipe import PRESETS, Recipe, preset
from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import best_epoch
from blox_core.simulation import (
    MAGIC,
    SIMULATION_REVISION,
    SimulatedCheckpoint,
    load_simulated_checkpoint,
    simulate,
    simulated_result,
    simulation_identity,
)
from blox_core.space import Architecture
from tests.support.synthetic import Observer, figures, stop_after

ARCHITECTURE = Architecture(14_321)
RECIPE = preset("digits")
SEED = 3
IDENTITY = simulation_identity(ARCHITECTURE, RECIPE, SEED)
SMALL = replace(RECIPE, classes=2, train_images=1, val_images=1, test_images=1, epochs=1)
HUGE = replace(RECIPE, classes=10**9)
LARGEST_LOSS = 16.777215  # that a release file holds
# Figures of ARCHITECTURE, RECIPE and SEED.
VAL_TOP1 = [151, 181, 200, 213, 218]
TRAIN_TOP5 = [1074, 1173, 1215, 1237, 1247]
VAL_LOSS = [
    1.0671919052511298,
    0.7267114394115002,
    0.5536646833988842,
    0.41224034340368937,
    0.36707676750228124,
]
TEST = (218, 0.3665881357601499)
TRAIN_TIME_S = 10.536374289261877


def run(**options: Any) -> Any:
    return simulate(ARCHITECTURE, RECIPE, SEED, epoch_s=0, **options)


def all_figures(result: Any) -> tuple[Any, ...]:
    return *figures(result), result.train_time_s, result.environment


class TestResult:
    @pytest.mark.parametrize("recipe", [*PRESETS.values(), SMALL, HUGE], ids=range(5))
    @pytest.mark.parametrize("seed", range(3))
    def test_counts_and_losses_are_possible(self, recipe: Recipe, seed: int) -> None:
        for index in range(0, 91_125, 9_001):
            result = simulated_result(Architecture(index), recipe, seed)
            curves = result.curves
            assert len(curves) == recipe.epochs
            for split in ("train", "val"):
                top1, top5, loss = (
                    getattr(curves, f"{split}_{name}") for name in ("top1", "top5", "loss")
                )
                assert top1.dtype == top5.dtype == np.int64
                images = getattr(recipe, f"{split}_images")
                assert ((top1 >= 0) & (top1 <= top5) & (top5 <= images)).all()
                assert ((loss > 0) & (loss <= LARGEST_LOSS)).all()
            assert result.test is not None
            assert 0 <= result.test.top1 <= result.test.top5 <= recipe.test_images
            assert 0 < result.test.loss <= LARGEST_LOSS
            assert result.train_time_s > 0

    @pytest.mark.parametrize("name", ["cifar100", "cifar10"])
    def test_curves_are_those_of_a_training(self, name: str) -> None:
        recipe = preset(name)
        tenth = recipe.epochs // 10
        for index in range(0, 91_125, 9_001):
            curves = simulated_result(Architecture(index), recipe, SEED).curves
            for split in ("train", "val"):
                top1 = getattr(curves, f"{split}_top1").reshape(-1, tenth).mean(axis=1)
                loss = getattr(curves, f"{split}_loss").reshape(-1, tenth).mean(axis=1)
                assert top1[-1] > 2 * top1[0] / recipe.classes
                assert (np.diff(top1[:3]) > 0).all()
                assert (np.diff(loss[:3]) < 0).all()
                assert top1[-1] == max(top1)
            late = slice(-tenth, None)
            train = curves.train_top1[late] / recipe.train_images
            assert (curves.val_top1[late] / recipe.val_images < train).all()
            assert (np.diff(curves.val_top1) < 0).any(), "no noise"

    def test_architectures_differ_more_than_seeds(self) -> None:
        recipe = preset("cifar100")

        def best(index: int, seed: int) -> int:
            return int(simulated_result(Architecture(index), recipe, seed).curves.val_top1.max())

        by_index = [[best(index, seed) for seed in range(3)] for index in range(20)]
        spread = [max(seeds) - min(seeds) for seeds in by_index]
        assert min(spread) > 0
        assert np.ptp([seeds[0] for seeds in by_index]) > 3 * max(spread)

    def test_the_best_epoch_is_that_of_a_real_training(self) -> None:
        observer = Observer()
        for index in range(20):
            observer.reports.clear()
            result = simulate(Architecture(index), RECIPE, SEED, epoch_s=0, on_epoch=observer)
            assert result.best_epoch == best_epoch([r.metrics for r in observer.reports])

    def test_it_says_that_it_is_made_up(self) -> None:
        result = simulated_result(ARCHITECTURE, RECIPE, SEED)
        assert set(asdict(result.environment).values()) == {"simulated"}
        assert result.trainer_revision == SIMULATION_REVISION
        assert (result.arch_index, result.seed) == (ARCHITECTURE.index, SEED)
        assert (result.recipe_fingerprint, result.status) == (RECIPE.fingerprint, "succeeded")

    def test_every_machine_makes_up_the_same(self) -> None:
        """What changes these numbers needs another SIMULATION_REVISION."""
        result = simulated_result(ARCHITECTURE, RECIPE, SEED)
        assert result.curves.val_top1.tolist() == VAL_TOP1
        assert result.curves.train_top5.tolist() == TRAIN_TOP5
        assert result.curves.val_loss.tolist() == VAL_LOSS
        assert result.test is not None
        assert (result.test.top1, result.test.loss) == TEST
        assert result.train_time_s == TRAIN_TIME_S

    @pytest.mark.parametrize(
        "other",
        [
            (Architecture(14_322), RECIPE, SEED),
            (ARCHITECTURE, replace(RECIPE, lr=0.1), SEED),
            (ARCHITECTURE, RECIPE, SEED + 1),
        ],
        ids=["index", "recipe", "seed"],
    )
    def test_it_depends_on(self, other: tuple[Architecture, Recipe, int]) -> None:
        one, two = simulated_result(ARCHITECTURE, RECIPE, SEED), simulated_result(*other)
        assert one.curves.val_loss.tolist() != two.curves.val_loss.tolist()
        assert one.train_time_s != two.train_time_s

    @pytest.mark.parametrize("seed", [-1, 2**32])
    def test_a_seed_out_of_range(self, seed: int) -> None:
        with pytest.raises(RecipeError, match="an integer of 0 or more below 4294967296 is"):
            simulated_result(ARCHITECTURE, RECIPE, seed)
        with pytest.raises(RecipeError, match="an integer of 0 or more below 4294967296 is"):
            simulate(ARCHITECTURE, RECIPE, seed, epoch_s=0)

    @pytest.mark.parametrize(("name", "allowed_ms"), [("digits", 0.3), ("cifar100", 1.0)])
    def test_it_takes_no_time(self, name: str, allowed_ms: float) -> None:
        recipe, rounds = preset(name), 20
        taken: list[float] = []
        for _ in range(5):
            start = time.thread_time()  # whatever else the machine does
            for index in range(rounds):
                simulated_result(Architecture(index), recipe, SEED)
            taken.append((time.thread_time() - start) / rounds * 1e3)
        assert min(taken) < 3 * allowed_ms  # a machine that tests may be slow


class TestSimulate:
    def test_it_ends_in_the_closed_form(self) -> None:
        assert all_figures(run()) == all_figures(simulated_result(ARCHITECTURE, RECIPE, SEED))

    def test_every_epoch_is_reported(self) -> None:
        observer = Observer()
        result = run(on_epoch=observer)
        reports = observer.reports
        assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
        assert {report.epochs for report in reports} == {5}
        for split in ("train", "val"):
            for name in ("top1", "top5", "loss"):
                reported = [getattr(getattr(r.metrics, split), name) for r in reports]
                assert reported == getattr(result.curves, f"{split}_{name}").tolist()
        assert result.train_time_s == pytest.approx(sum(r.metrics.seconds for r in reports))
        assert [report.checkpoint().epoch for report in reports] == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("epoch", [1, 4, 5])
    def test_it_resumes_to_the_same_result(self, epoch: int) -> None:
        observer = Observer()
        checkpoint = SimulatedCheckpoint(identity=IDENTITY, epoch=epoch)
        result = run(checkpoint=checkpoint, on_epoch=observer)
        assert all_figures(result) == all_figures(run())
        assert [report.epoch for report in observer.reports] == list(range(epoch + 1, 6))

    @pytest.mark.parametrize("polls", [0, 1, 4])
    def test_a_stop_keeps_the_epochs(self, polls: int) -> None:
        with pytest.raises(TrainingStopped, match=f"stopped after epoch {polls} of 5") as caught:
            run(should_stop=stop_after(polls))
        checkpoint = caught.value.checkpoint
        if not polls:
            assert checkpoint is None
            return
        assert checkpoint == SimulatedCheckpoint(identity=IDENTITY, epoch=polls)
        assert all_figures(run(checkpoint=checkpoint)) == all_figures(run())

    def test_a_stop_before_the_first_epoch_after_a_resumption(self) -> None:
        checkpoint = SimulatedCheckpoint(identity=IDENTITY, epoch=2)
        with pytest.raises(TrainingStopped) as caught:
            run(checkpoint=checkpoint, should_stop=lambda: True)
        assert caught.value.checkpoint == checkpoint

    def test_a_stop_does_not_wait_for_the_epoch(self) -> None:
        start = time.monotonic()
        with pytest.raises(TrainingStopped, match="after epoch 0"):
            simulate(ARCHITECTURE, RECIPE, SEED, epoch_s=600, should_stop=stop_after(10))
        assert time.monotonic() - start < 60

    def test_an_epoch_takes_its_time(self) -> None:
        start = time.monotonic()
        simulate(ARCHITECTURE, replace(RECIPE, epochs=2), SEED, epoch_s=0.06)
        assert time.monotonic() - start >= 0.12

    def test_what_on_epoch_raises_ends_it(self) -> None:
        def fail(report: EpochReport) -> None:
            raise OSError("no space left on device")

        with pytest.raises(OSError, match="no space left"):
            run(on_epoch=fail)

    def test_a_checkpoint_of_another_training(self) -> None:
        other = SimulatedCheckpoint(identity=replace(IDENTITY, seed=9), epoch=1)
        with pytest.raises(CheckpointError, match="the given checkpoint is of another training"):
            run(checkpoint=other)


class TestCheckpoint:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.checkpoint"
        SimulatedCheckpoint(identity=IDENTITY, epoch=4).save(path)
        return path

    def test_it_comes_back_as_it_was(self, path: Path) -> None:
        found = load_simulated_checkpoint(path, IDENTITY)
        assert found == SimulatedCheckpoint(identity=IDENTITY, epoch=4)
        assert list(path.parent.iterdir()) == [path]

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="No such file or directory; start without it"):
            load_simulated_checkpoint(tmp_path / "none", IDENTITY)

    @pytest.mark.parametrize("field", [field.name for field in fields(CheckpointIdentity)])
    def test_of_another_training(self, path: Path, field: str) -> None:
        value = getattr(IDENTITY, field)
        other: Any = "other" if isinstance(value, str) else value + 1
        with pytest.raises(CheckpointError) as caught:
            load_simulated_checkpoint(path, replace(IDENTITY, **{field: other}))
        assert str(caught.value) == (
            f"checkpoint {path} is of another training: {field} is {value!r}, not {other!r}; "
            "start without it"
        )

    def test_no_byte_can_be_lost_or_changed(self, path: Path) -> None:
        data = path.read_bytes()
        damaged = [data[:length] for length in range(len(data))]
        damaged += [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
        for each in [*damaged, data + b"\0"]:
            path.write_bytes(each)
            with pytest.raises(CheckpointError, match=r"\d+ bytes that are no intact checkpoint"):
                load_simulated_checkpoint(path, IDENTITY)

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"noise",
            b"[1, 2]",
            b"\xff",
            b'{"epoch": 3}',
            b'{"epoch": 3, "identity": {"colour": 1}}',
            json.dumps({"identity": asdict(IDENTITY), "epoch": "many"}).encode(),
        ],
    )
    def test_what_blox_does_not_write(self, path: Path, payload: bytes) -> None:
        with new_checkpoint(path, MAGIC) as file:
            file.write(payload)
        with pytest.raises(CheckpointError, match=r"not what Blox writes \(\w+\); start without"):
            load_simulated_checkpoint(path, IDENTITY)
