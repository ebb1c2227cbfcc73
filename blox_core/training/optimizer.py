"""Stochastic gradient descent whose whole state lies on the device."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from blox_core.checkpoint.checkpoint import Tensors
from blox_core.recipe import Recipe


class Optimizer:
    """torch's fused SGD with momentum and weight decay on every parameter of a model.

    Learning rate and momentum are tensors from the start, so that a recorded step reads them. A
    momentum of zeros gives a first step's momentum, its gradient, to the bit. Steps are
    taken by the function behind `torch.optim.SGD`, whose constructor imports torch's compiler: 2 s
    of every start.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self._recipe = recipe
        self._parameters = dict(model.named_parameters())
        device = next(iter(self._parameters.values())).device
        # The type that torch's fused kernels read: float on a GPU, double on a CPU.
        kind = torch.float32 if device.type == "cuda" else torch.float64
        self._lr = torch.zeros((), dtype=kind, device=device)
        self._momentum = {
            name: torch.zeros_like(parameter)
            for name, parameter in (self._parameters.items() if recipe.momentum else ())
        }

    def set_learning_rate(self, rate: float) -> None:
        """Let the next steps have a learning rate."""
        self._lr.fill_(rate)

    def clear_gradients(self) -> None:
        """Forget the gradients of the last step."""
        for parameter in self._parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters by their gradients, which all of them have."""
        parameters: list[Tensor] = list(self._parameters.values())
        sgd(
            parameters,
            [cast(Tensor, parameter.grad) for parameter in parameters],
            list(self._momentum.values()),
            lr=self._lr,
            momentum=self._recipe.momentum,
            dampening=0.0,
            nesterov=self._recipe.nesterov,
            weight_decay=self._recipe.weight_decay,
            maximize=False,
            fused=True,
        )

    def momentum(self) -> dict[str, Tensor]:
        """Return the momentum of each parameter, which steps change; empty without momentum."""
        return dict(self._momentum)

    def restore(self, momentum: Tensors) -> None:
        """Go on with the momentum of a checkpoint."""
        for name, buffer in self._momentum.items():
            buffer.copy_(momentum[name])
