"""Scores and curves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from blox_core.result.metrics import Curves, EpochMetrics, Score, best_epoch
from blox_core.training.tally import Tally


def epoch(top1: int, loss: float) -> EpochMetrics:
    score = Score(top1=top1, top5=top1 + 1, loss=loss)
    return EpochMetrics(train=Score(top1=0, top5=2, loss=9.0), val=score, seconds=1.0)


def test_curves() -> None:
    curves = Curves.of([epoch(1, 0.5), epoch(2, 0.25)])
    assert len(curves) == 2
    assert curves.val_top1.tolist() == [1, 2]
    assert curves.val_top5.tolist() == [2, 3]
    assert curves.val_loss.tolist() == [0.5, 0.25]
    assert curves.train_top1.tolist() == [0, 0]
    assert curves.train_top5.tolist() == [2, 2]
    assert curves.train_loss.tolist() == [9.0, 9.0]
    assert curves.val_top1.dtype == np.int64
    assert curves.val_loss.dtype == np.float64


def test_no_epochs() -> None:
    assert len(Curves.of([])) == 0
    assert best_epoch([]) is None


def test_best_epoch() -> None:
    assert best_epoch([epoch(1, 0.1), epoch(3, 0.5), epoch(3, 0.4), epoch(3, 0.4)]) == 3


def test_tally() -> None:
    tally = Tally(torch.device("cpu"))
    logits = torch.arange(14.0).reshape(2, 7)  # the largest is the last, the fifth is number 2
    tally.add(logits, torch.tensor([6, 2]), torch.tensor([0.5, 1.0]))
    tally.add(logits[:1], torch.tensor([1]), torch.tensor([3.0]))
    assert tally.take() == Score(top1=1, top5=2, loss=1.5)
    tally.add(logits[:1], torch.tensor([6]), torch.tensor([2.0]))
    assert tally.take() == Score(top1=1, top5=1, loss=2.0)


def test_tally_of_few_classes() -> None:
    tally = Tally(torch.device("cpu"))
    tally.add(torch.tensor([[0.0, 1.0]]), torch.tensor([0]), torch.tensor([1.0]))
    assert tally.take() == Score(top1=0, top5=1, loss=1.0)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_tally_keeps_a_loss_that_is_not_finite(loss: float) -> None:
    tally = Tally(torch.device("cpu"))
    for each in (loss, 1.0):
        tally.add(torch.zeros(1, 2), torch.tensor([0]), torch.tensor([each]))
    assert not math.isfinite(tally.take().loss)
