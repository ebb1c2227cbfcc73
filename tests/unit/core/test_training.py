"""A training: its figures, its reproducibility, and how it stops, resumes and diverges."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from blox_core.checkpoint.checkpoint import Checkpoint, load_checkpoint
from blox_core.errors import CheckpointError, RecipeError
from blox_core.recipe import Recipe, preset
from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import Score
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_core.space import Architecture, index_of
from blox_core.training import TrainingResult, train, training_identity
from blox_core.training.trainer import Trainer, initial_model, learning_rate
from tests.support.synthetic import (
    ALL_OPS,
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

RECIPES = {
    "plain": RECIPE,
    "augmented": AUGMENTED,
    "half": replace(AUGMENTED, precision="bf16"),
    "double": replace(AUGMENTED, precision="fp64"),
}


class TestFigures:
    def test_result(self) -> None:
        observer = Observer()
        result = run(on_epoch=observer)
        assert (result.arch_index, result.seed) == (18639, SEED)
        assert result.recipe_fingerprint == RECIPE.fingerprint
        assert result.trainer_revision == TRAINER_REVISION
        assert result.status == "succeeded"
        assert len(result.curves) == len(observer.reports) == 3
        assert result.environment.torch_version == torch.__version__
        seconds = [report.metrics.seconds for report in observer.reports]
        assert result.train_time_s == sum(seconds)
        assert min(seconds) > 0

    def test_reports_are_the_curves(self) -> None:
        observer = Observer()
        curves = run(on_epoch=observer).curves
        for row, report in enumerate(observer.reports):
            assert (report.epoch, report.epochs) == (row + 1, 3)
            assert report.metrics.train == Score(
                top1=curves.train_top1[row],
                top5=curves.train_top5[row],
                loss=curves.train_loss[row],
            )
            assert report.metrics.val == Score(
                top1=curves.val_top1[row], top5=curves.val_top5[row], loss=curves.val_loss[row]
            )
            assert report.checkpoint().epoch == report.epoch

    def test_counts_are_of_all_images(self) -> None:
        """With two classes every image is in the top five, those of a smaller last batch too."""
        recipe = replace(RECIPE, classes=2, epochs=1)
        result = run(recipe)
        assert result.curves.train_top5.tolist() == [20]
        assert result.curves.val_top5.tolist() == [9]
        assert result.test is not None
        assert result.test.top5 == 7

    def test_every_epoch_takes_a_step_on_every_batch(self) -> None:
        checkpoints: list[Checkpoint] = []
        run(on_epoch=lambda report: checkpoints.append(report.checkpoint()))
        steps = [int(c.model["stem.1.num_batches_tracked"]) for c in checkpoints]
        assert steps == [3, 6, 9]

    def test_validation_is_that_of_the_epochs_weights(self) -> None:
        checkpoints: list[Checkpoint] = []
        result = run(on_epoch=lambda report: checkpoints.append(report.checkpoint()))
        data, model = synthetic_data(), initial_model(ARCHITECTURE, RECIPE, SEED).eval()
        mean, std = RECIPE.mean[0], RECIPE.std[0]
        pixels = (torch.from_numpy(data.val_images).permute(0, 3, 1, 2) / 255 - mean) / std
        for row, checkpoint in enumerate(checkpoints):
            model.load_state_dict(checkpoint.model)
            with torch.no_grad():
                logits = model(pixels)
            labels = torch.from_numpy(data.val_labels)
            loss = torch.nn.functional.cross_entropy(logits.double(), labels)
            assert result.curves.val_loss[row] == pytest.approx(loss.item(), rel=1e-5)
            assert result.curves.val_top1[row] == (logits.argmax(1) == labels).sum()

    @pytest.mark.slow
    def test_it_learns(self) -> None:
        result = run(replace(RECIPE, train_images=64, epochs=8, stem_channels=4, lr=0.1))
        assert result.curves.train_loss[-1] < 0.7 * result.curves.train_loss[0]
        assert result.curves.train_top1[-1] > 3 * result.curves.train_top1[0]

    def test_half_precision(self) -> None:
        short = replace(RECIPE, epochs=1)
        half = run(replace(short, precision="bf16"))
        assert half.status == "succeeded"
        assert figures(half) != figures(run(short))

    def test_without_momentum(self) -> None:
        checkpoints: list[Checkpoint] = []
        recipe = replace(RECIPE, momentum=0.0)
        whole = run(recipe, on_epoch=lambda report: checkpoints.append(report.checkpoint()))
        assert checkpoints[0].momentum == {}
        assert figures(run(recipe, checkpoint=checkpoints[0])) == figures(whole)


class TestBestEpoch:
    @pytest.fixture
    def scored(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainingResult]:
        """Return a training whose validation scores (top1, loss) are given."""

        def train_with(*scores: tuple[int, float], **options: Any) -> TrainingResult:
            given = iter([Score(top1=top1, top5=9, loss=loss) for top1, loss in scores])
            evaluate = Trainer._evaluate

            def scripted(trainer: Trainer, batches: Any) -> Score:
                real = evaluate(trainer, batches)
                return next(given, real)

            monkeypatch.setattr(Trainer, "_evaluate", scripted)
            return run(replace(RECIPE, epochs=len(scores)), **options)

        return train_with

    @pytest.mark.parametrize(
        ("scores", "best"),
        [
            ([(3, 1.0), (5, 2.0), (4, 0.5)], 2),
            ([(5, 1.0), (5, 0.9), (5, 1.1)], 2),
            ([(5, 1.0), (5, 1.0), (5, 1.0)], 1),
            ([(0, 1.0), (0, 1.0), (0, 0.5)], 3),
        ],
    )
    def test_most_correct_then_lowest_loss_then_first(
        self,
        scored: Callable[..., TrainingResult],
        scores: list[tuple[int, float]],
        best: int,
    ) -> None:
        checkpoints: list[Checkpoint] = []
        result = scored(*scores, on_epoch=lambda report: checkpoints.append(report.checkpoint()))
        assert result.best_epoch == best
        assert result.curves.val_top1.tolist() == [top1 for top1, _ in scores]
        kept = checkpoints[-1].best_model
        weights = checkpoints[best - 1].model
        assert all(torch.equal(kept[name], weights[name]) for name in weights)

    def test_test_score_is_of_the_best_weights(self, scored: Callable[..., TrainingResult]) -> None:
        shown = scored((9, 1.0), (0, 1.0), (0, 1.0))
        stopped = scored((9, 1.0))
        assert shown.test is not None
        assert stopped.test is not None
        assert shown.best_epoch == 1
        # The learning rate of epoch 1 does not depend on the number of epochs.
        assert shown.test == stopped.test


class TestReproducibility:
    @pytest.mark.parametrize(
        ("epochs", "sizes"), [(1, FEW), pytest.param(3, {}, marks=pytest.mark.slow)]
    )
    @pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
    def test_same_arguments_give_the_same_bits(
        self, recipe: Recipe, epochs: int, sizes: dict[str, int]
    ) -> None:
        first, second, recipe = Observer(), Observer(), replace(recipe, epochs=epochs, **sizes)
        assert figures(run(recipe, on_epoch=first)) == figures(run(recipe, on_epoch=second))
        last = [observer.reports[-1].checkpoint() for observer in (first, second)]
        assert state(last[0]) == state(last[1])

    def test_all_ops_and_connections(self) -> None:
        architecture = Architecture(index_of(ALL_OPS))
        recipe = replace(RECIPE, epochs=1, **FEW)
        data = synthetic_data(recipe)
        first, second = (
            train(architecture, recipe, SEED, device="cpu", data=data) for _ in range(2)
        )
        assert figures(first) == figures(second)

    def test_seed_counts(self) -> None:
        recipe = replace(RECIPE, epochs=1)
        assert figures(run(recipe, seed=1)) != figures(run(recipe, seed=2))

    def test_initialisation_depends_on_the_seed_alone(self) -> None:
        first = initial_model(ARCHITECTURE, RECIPE, 1).state_dict()
        again = initial_model(ARCHITECTURE, replace(AUGMENTED, lr=1.0), 1).state_dict()
        other = initial_model(ARCHITECTURE, RECIPE, 2).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])

    def test_global_generators_are_left_alone(self) -> None:
        before = global_states()
        run(AUGMENTED)
        assert global_states() == before

    def test_global_generators_do_not_count(self) -> None:
        recipe = replace(AUGMENTED, epochs=2)
        first = figures(run(recipe))

        def disturb(_: EpochReport) -> None:
            torch.rand(3)
            np.random.rand(3)
            random.random()

        assert figures(run(recipe, on_epoch=disturb)) == first


def global_states() -> tuple[Any, ...]:
    return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()


class TestResuming:
    @pytest.mark.parametrize(
        ("epochs", "sizes"), [(2, FEW), pytest.param(3, {}, marks=pytest.mark.slow)]
    )
    @pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
    def test_from_every_epoch_to_the_same_bits(
        self, recipe: Recipe, epochs: int, sizes: dict[str, int], tmp_path: Path
    ) -> None:
        recipe, observer = replace(recipe, epochs=epochs, **sizes), Observer()
        whole = run(recipe, on_epoch=observer)
        final = state(observer.reports[-1].checkpoint())
        identity = training_identity(ARCHITECTURE, recipe, SEED, "cpu")
        for report in observer.reports:
            file = tmp_path / f"{report.epoch}.checkpoint"
            report.checkpoint().save(file)
            resumed = Observer()
            loaded = load_checkpoint(file, identity)
            result = run(recipe, checkpoint=loaded, on_epoch=resumed)
            assert figures(result) == figures(whole)
            assert [r.epoch for r in resumed.reports] == list(range(report.epoch + 1, epochs + 1))
            if resumed.reports:
                assert state(resumed.reports[-1].checkpoint()) == final

    def test_time_of_all_attempts_is_summed(self) -> None:
        observer = Observer()
        run(on_epoch=observer)
        checkpoint = observer.reports[1].checkpoint()
        resumed = Observer()
        result = run(checkpoint=checkpoint, on_epoch=resumed)
        kept = [metrics.seconds for metrics in checkpoint.epochs]
        assert result.train_time_s == sum([*kept, resumed.reports[0].metrics.seconds])

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            ({"seed": 8}, "seed is 7, not 8"),
            ({"recipe": replace(RECIPE, lr=0.5)}, "recipe_fingerprint is "),
        ],
    )
    def test_checkpoint_of_another_training(self, other: dict[str, Any], message: str) -> None:
        observer = Observer()
        run(on_epoch=observer)
        with pytest.raises(CheckpointError, match=message):
            run(**other, checkpoint=observer.reports[0].checkpoint())


class TestArguments:
    @pytest.mark.parametrize("seed", [-1, 2**32])
    def test_seed_out_of_range(self, seed: int) -> None:
        with pytest.raises(RecipeError, match=f"seed {seed}: an integer of 0 or more below"):
            run(seed=seed)

    def test_data_of_another_recipe(self) -> None:
        with pytest.raises(RecipeError, match="train data of images"):
            train(
                ARCHITECTURE,
                replace(RECIPE, train_images=21),
                SEED,
                device="cpu",
                data=synthetic_data(),
            )


def test_learning_rate_is_half_a_cosine() -> None:
    recipe = preset("cifar100")
    rates = [learning_rate(recipe, epoch) for epoch in range(1, 201)]
    assert rates[0] == 0.01
    assert rates[100] == pytest.approx(0.005)
    assert 0 < rates[-1] < 1e-6
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=recipe.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for rate in rates:
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate, abs=1e-12)
        optimizer.step()
        scheduler.step()
