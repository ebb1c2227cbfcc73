"""Models of architectures under their published names; importing this needs PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from blox_core.errors import RecipeError
from blox_core.extras import optional_module
from blox_core.recipe import ModelShape
from blox_core.space import Architecture, ArchVec, index_of
from blox_core.space.raw_arch_vec import arch_vec_of, raw_cells_of

optional_module("torch", package="PyTorch", extra="worker")

from blox_core.model import Network  # which says less where there is no PyTorch

__all__ = ["Model", "get_model"]

# What all models of the benchmark have in common.
_COMMON: Final = {
    "stem_kernel": 3,
    "stem_stride": 1,
    "stem_steps": 1,
    "cells_per_stage": 1,
    "scaling": 2,
    "blocks": None,
    "custom_stages": None,
}


class Model(Network):
    """The network of an arch vector, initialised as PyTorch does: images to logits.

    `cfg` is any valid arch vector and `stem` the number of channels of the stem. The network takes
    images of 8 x 8 pixels or more; `imgsize` says how large they will be. All other arguments must
    have their defaults, the values of the benchmark. Raises ArchitectureError, a ValueError, for an
    invalid arch vector and RecipeError for other values.
    """

    def __init__(
        self,
        cfg: Sequence[Any],
        num_classes: int = 100,
        stem: int = 32,
        stem_kernel: int = 3,
        stem_stride: int = 1,
        stem_steps: int = 1,
        imgsize: int = 32,
        cells_per_stage: int = 1,
        scaling: int = 2,
        blocks: None = None,
        custom_stages: None = None,
    ) -> None:
        given = locals()
        for name, value in _COMMON.items():
            if given[name] != value:
                raise RecipeError(
                    f"{name} {given[name]!r}: it must be {value}, as in all models of the benchmark"
                )
        shape = ModelShape(classes=num_classes, stem_channels=stem, resolution=imgsize)
        architecture = Architecture(index_of(cfg))
        super().__init__(architecture.cells, shape.classes, shape.stem_channels)
        self._architecture = architecture
        self._imgsize = imgsize

    def get_config(self) -> ArchVec:
        """Return the canonical arch vector."""
        return self._architecture.arch_vec

    def get_model_hash(self) -> str:
        """Return the model hash."""
        return self._architecture.model_hash

    def get_input_size(self) -> tuple[int, int, int]:
        """Return channels, height and width of the images."""
        return 3, self._imgsize, self._imgsize

    def reset_parameters(self) -> None:
        """Initialise all parameters anew, as PyTorch does."""
        for module in self.modules():
            reset: Any = getattr(module, "reset_parameters", None)
            if module is not self and reset is not None:
                reset()


def get_model(
    arch_vec: Sequence[Any],
    num_classes: int = 100,
    stem: int = 32,
    stem_kernel: int = 3,
    stem_stride: int = 1,
    stem_steps: int = 1,
    imgsize: int = 32,
    cells_per_stage: int = 1,
    scaling: int = 2,
    ops: Sequence[str] | None = None,
) -> Model:
    """Return the `Model` of an arch vector; `ops` names the ops that the numbers in it stand for."""
    renamed = arch_vec if ops is None else arch_vec_of(raw_cells_of(arch_vec, ops))
    return Model(
        renamed,
        num_classes,
        stem,
        stem_kernel,
        stem_stride,
        stem_steps,
        imgsize,
        cells_per_stage,
        scaling,
    )
