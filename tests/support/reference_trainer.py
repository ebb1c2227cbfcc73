"""A trainer as one writes it from the table in `docs/explanation/training.md`: the engine's peer.

It shares values (recipe, data, scores) and the model with the engine, and no code of a training:
torchvision's transforms of PIL images, a DataLoader, eager steps, contiguous tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import transforms

from blox_core.data import TrainingData
from blox_core.data.training_data import Images, Labels
from blox_core.model import build_model
from blox_core.recipe import Recipe
from blox_core.result.metrics import Curves, EpochMetrics, Score
from blox_core.space import Architecture
from tests.support import pil_augmentation

Orders = Iterable[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The figures of a finished training."""

    epochs: tuple[EpochMetrics, ...]
    best_epoch: int
    test: Score

    @property
    def curves(self) -> Curves:
        """The epochs as an engine's result has them."""
        return Curves.of(self.epochs)


class LabelledImages(Dataset[tuple[Tensor, int]]):
    """uint8 images (n, H, W, 3) as a transform makes them, with their labels."""

    def __init__(
        self, images: Images, labels: Labels, transform: Callable[[Images], Tensor]
    ) -> None:
        self._images, self._labels, self._transform = images, labels, transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._images[index]), int(self._labels[index])


class GivenOrders(Sampler[int]):
    """Goes through the images in another given order each time."""

    def __init__(self, orders: Orders) -> None:
        self._orders = iter(orders)

    def __iter__(self) -> Iterator[int]:
        return iter(next(self._orders))


class ReferenceTrainer:
    """One training; fp64 is trained in float64, every other precision in float32.

    The epochs' `orders` are torch's own unless they are given. Torch's generator, switches and
    threads are those of the caller.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        data: TrainingData,
        *,
        device: torch.device | str,
        workers: int = 0,
        orders: Orders | None = None,
    ) -> None:
        self._recipe, self._data = recipe, data
        self._device, self._workers = torch.device(device), workers
        dtype = torch.float64 if recipe.precision == "fp64" else torch.float32
        self.model = model.to(self._device, dtype).to(memory_format=torch.contiguous_format)
        self._optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
        )
        self._schedule = CosineAnnealingLR(self._optimizer, recipe.epochs)
        self._training = self._loader(
            LabelledImages(
                data.train_images, data.train_labels, pil_augmentation.published(recipe)
            ),
            recipe.batch_size,
            sampler=None if orders is None else GivenOrders(orders),
            shuffle=orders is None,
            persistent_workers=workers > 0,
        )
        self._validation = self._plain(
            data.val_images, data.val_labels, persistent_workers=workers > 0
        )

    def run(self) -> Trained:
        """Train all epochs, and judge the weights of the best one on the test images."""
        epochs: list[EpochMetrics] = []
        best, weights = 0, {}
        for number in range(self._recipe.epochs):
            epochs.append(self.epoch())
            if number == 0 or _rank(epochs[number]) > _rank(epochs[best]):
                best, weights = number, deepcopy(self.model.state_dict())
        self.model.load_state_dict(weights)
        test = self._evaluate(self._plain(self._data.test_images, self._data.test_labels))
        return Trained(epochs=tuple(epochs), best_epoch=best + 1, test=test)

    def epoch(self) -> EpochMetrics:
        """Train the next epoch and validate."""
        start = time.perf_counter()
        train = _score(self.steps())
        val = self._evaluate(self._validation)
        return EpochMetrics(train=train, val=val, seconds=time.perf_counter() - start)

    def steps(self) -> Iterator[Tensor]:
        """Take the steps of the next epoch, and yield the sums of each batch, see `_sums`."""
        self.model.train()
        for images, labels in self._on_device(self._training):
            yield self.step(images, labels)
        self._schedule.step()

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take a step on a batch that is on the device, and return its sums."""
        logits = self.model(images)
        loss = cross_entropy(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return _sums(logits.detach(), labels, loss.detach())

    @torch.no_grad()
    def _evaluate(self, loader: DataLoader[Any]) -> Score:
        self.model.eval()
        return _score(self._judged(loader))

    def _judged(self, loader: DataLoader[Any]) -> Iterator[Tensor]:
        for images, labels in self._on_device(loader):
            logits = self.model(images)
            yield _sums(logits, labels, cross_entropy(logits, labels))

    def _on_device(self, loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in loader:
            yield (
                images.to(self._device, non_blocking=True),
                labels.to(self._device, non_blocking=True),
            )

    def _plain(self, images: Images, labels: Labels, **options: Any) -> DataLoader[Any]:
        transform = transforms.Compose(
            [transforms.ToPILImage(), pil_augmentation.normalised(self._recipe)]
        )
        dataset = LabelledImages(images, labels, transform)
        return self._loader(dataset, self._recipe.eval_batch_size, **options)

    def _loader(self, dataset: LabelledImages, size: int, **options: Any) -> DataLoader[Any]:
        pinned = self._device.type == "cuda"
        return DataLoader(dataset, size, num_workers=self._workers, pin_memory=pinned, **options)


def train(
    architecture: Architecture,
    recipe: Recipe,
    seed: int,
    *,
    device: torch.device | str,
    data: TrainingData,
    workers: int = 0,
) -> Trained:
    """Train an architecture; weights, orders and augmentation come from torch's generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(architecture.arch_vec, recipe.classes, recipe.stem_channels)
        return ReferenceTrainer(model, recipe, data, device=device, workers=workers).run()


def _sums(logits: Tensor, labels: Tensor, mean_loss: Tensor) -> Tensor:
    """Return of a batch: images, correct ones (top 1, top 5), losses; float64 (4,)."""
    order = logits.argsort(dim=1, descending=True)  # B x classes
    hits = order == labels[:, None]
    images = torch.tensor(len(labels), dtype=torch.float64, device=logits.device)
    return torch.stack(
        [images, hits[:, :1].sum(), hits[:, :5].sum(), mean_loss.double() * len(labels)]
    )


def _score(batches: Iterable[Tensor]) -> Score:
    images, top1, top5, losses = torch.stack(list(batches)).sum(0).tolist()
    return Score(top1=int(top1), top5=int(top5), loss=losses / images)


def _rank(metrics: EpochMetrics) -> tuple[int, float]:
    return metrics.val.top1, -metrics.val.loss
