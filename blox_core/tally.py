"""The running sums behind a score."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from blox_core.metrics import Score

TOP: Final = 5


class Tally:
    """Correct images and loss of the batches seen so far, summed on their device in int64, float64.

    At least one batch is seen before the score is asked for.
    """

    def __init__(self, device: torch.device) -> None:
        self._images = 0
        self._correct = torch.zeros(2, dtype=torch.int64, device=device)  # top-1, top-5
        self._loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Count a batch: logits B x classes, labels and losses B."""
        best = logits.topk(min(TOP, logits.shape[1])).indices  # B x 5, the largest first
        hits = best == labels[:, None]
        self._correct += torch.stack([hits[:, 0].sum(), hits.sum()])
        self._loss += losses.double().sum()
        self._images += len(labels)

    def is_finite(self) -> bool:
        """Return whether every loss so far was a finite number."""
        return bool(self._loss.isfinite())

    def score(self) -> Score:
        """Return the score of all images so far."""
        top1, top5 = self._correct.tolist()
        return Score(top1=top1, top5=top5, loss=self._loss.item() / self._images)
