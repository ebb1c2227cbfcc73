"""Stochastic gradient descent whose whole state lies on the device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blox_core.checkpoint import Tensors
from blox_core.recipe import Recipe


class Optimizer:
    """torch's fused SGD with momentum and weight decay on every parameter of a model.

    Learning rate and momentum are tensors from the start, so that a recorded step reads them. A
    momentum of zeros gives a first step's momentum, its gradient, to the bit.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self._parameters = dict(model.named_parameters())
        device = next(iter(self._parameters.values())).device
        # The type that torch's fused kernels read: float on a GPU, double on a CPU.
        kind = torch.float32 if device.type == "cuda" else torch.float64
        self._lr = torch.zeros((), dtype=kind, device=device)
        self._sgd = torch.optim.SGD(
            self._parameters.values(),
            lr=self._lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        for parameter in self._parameters.values() if recipe.momentum else ():
            self._sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def set_learning_rate(self, rate: float) -> None:
        """Let the next steps have a learning rate."""
        self._lr.fill_(rate)

    def clear_gradients(self) -> None:
        """Forget the gradients of the last step."""
        self._sgd.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update the parameters by their gradients."""
        self._sgd.step()

    def momentum(self) -> dict[str, Tensor]:
        """Return the momentum of each parameter, which steps change; empty without momentum."""
        return {
            name: self._sgd.state[parameter]["momentum_buffer"]
            for name, parameter in self._parameters.items()
            if parameter in self._sgd.state
        }

    def restore(self, momentum: Tensors) -> None:
        """Go on with the momentum of a checkpoint."""
        for name, buffer in self.momentum().items():
            buffer.copy_(momentum[name])
