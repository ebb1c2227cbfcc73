"""How a training ends early: asked to stop, or with a loss that is not finite."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from blox_core.errors import TrainingStopped
from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import EpochMetrics, Score
from blox_core.training.trainer import Trainer
from tests.support.synthetic import RECIPE, Observer, figures, run, state, stop_after, uninterrupted


class TestStopping:
    def test_before_the_first_epoch_is_finished(self) -> None:
        with pytest.raises(TrainingStopped, match="after epoch 0 of 3") as caught:
            run(should_stop=stop_after(2))
        assert caught.value.checkpoint is None

    # An epoch asks 3 times in training and 3 times in validation; the test asks twice.
    @pytest.mark.parametrize(
        ("polls", "epoch"), [(6, 1), (7, 1), (10, 1), (12, 2), (17, 2), (18, 3), (19, 3)]
    )
    def test_gives_the_last_finished_epoch(self, polls: int, epoch: int) -> None:
        with pytest.raises(TrainingStopped, match=f"after epoch {epoch} of 3") as caught:
            run(should_stop=stop_after(polls))
        checkpoint = caught.value.checkpoint
        assert checkpoint is not None
        assert checkpoint.epoch == epoch
        assert figures(run(checkpoint=checkpoint)) == figures(uninterrupted())

    def test_again_before_anything_new_is_finished(self) -> None:
        observer = Observer()
        run(on_epoch=observer)
        checkpoint = observer.reports[0].checkpoint()
        with pytest.raises(TrainingStopped) as caught:
            run(checkpoint=checkpoint, should_stop=stop_after(0))
        assert caught.value.checkpoint is not None
        assert state(caught.value.checkpoint) == state(checkpoint)

    def test_a_report_that_raises_ends_the_training(self) -> None:
        def fail(report: EpochReport) -> None:
            raise KeyError(report.epoch)

        with pytest.raises(KeyError, match="1"):
            run(on_epoch=fail)
        assert not torch.are_deterministic_algorithms_enabled()


class TestDiverging:
    def test_at_once(self) -> None:
        result = run(replace(RECIPE, lr=1e30))
        assert result.status == "diverged"
        assert len(result.curves) == 0
        assert (result.best_epoch, result.test, result.train_time_s) == (None, None, 0.0)

    @pytest.mark.parametrize("split", ["train", "val"])
    @pytest.mark.parametrize("loss", [math.nan, math.inf])
    def test_keeps_the_epochs_it_had(
        self, monkeypatch: pytest.MonkeyPatch, split: str, loss: float
    ) -> None:
        run_epoch = Trainer._run_epoch

        def diverge(trainer: Trainer, epoch: int) -> EpochMetrics:
            metrics = run_epoch(trainer, epoch)
            if epoch < 3:
                return metrics
            return replace(metrics, **{split: replace(getattr(metrics, split), loss=loss)})

        whole = uninterrupted()
        monkeypatch.setattr(Trainer, "_run_epoch", diverge)
        result = run()
        assert result.status == "diverged"
        assert result.curves.val_loss.tolist() == whole.curves.val_loss[:2].tolist()
        assert result.best_epoch in (1, 2)
        assert result.test is not None

    def test_without_a_validation(self) -> None:
        """An epoch of three batches, in the first of which the loss is no number any more."""
        polls: list[int] = []

        def asked() -> bool:
            polls.append(1)
            return False

        assert run(replace(RECIPE, lr=1e30), should_stop=asked).status == "diverged"
        assert len(polls) == 3

    def test_only_on_the_test_images(self, monkeypatch: pytest.MonkeyPatch) -> None:
        evaluate = Trainer._evaluate
        calls: list[int] = []

        def scripted(trainer: Trainer, batches: Any) -> Score:
            calls.append(1)
            score = evaluate(trainer, batches)
            return replace(score, loss=math.inf) if len(calls) == 4 else score

        monkeypatch.setattr(Trainer, "_evaluate", scripted)
        result = run()
        assert result.status == "diverged"
        assert len(result.curves) == 3
