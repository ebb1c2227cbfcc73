"""The running sums behind a score."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from blox_core.result.metrics import Score

TOP: Final = 5


class Tally:
    """Correct images and loss of the batches since the last score, summed on their device.

    Counts are int64 and losses float64. Nothing waits for the device before the score is asked.
    """

    def __init__(self, device: torch.device) -> None:
        self._counts = torch.zeros(3, dtype=torch.int64, device=device)  # images, top-1, top-5
        self._loss = torch.zeros((), dtype=torch.float64, device=device)

    @property
    def sums(self) -> tuple[Tensor, Tensor]:
        """What `add` changes."""
        return self._counts, self._loss

    def add(self, logits: Tensor, labels: Tensor, losses: Tensor) -> None:
        """Count a batch: logits B x classes, labels and losses B."""
        best = logits.topk(min(TOP, logits.shape[1])).indices  # B x 5, the largest first
        hits = best == labels[:, None]
        seen = torch.ones_like(labels).sum()
        self._counts += torch.stack([seen, hits[:, 0].sum(), hits.sum()])
        self._loss += losses.double().sum()

    def take(self) -> Score:
        """Return the score of the images seen, one or more, and begin anew."""
        images, top1, top5 = self._counts.tolist()
        score = Score(top1=top1, top5=top5, loss=self._loss.item() / images)
        for values in self.sums:
            values.zero_()
        return score
