"""Models of architectures under their published name; importing this needs PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blox_core.extras import optional_module

if TYPE_CHECKING:
    from blox_core.model import Network

__all__ = ["get_model"]

_model = optional_module("blox_core.model", package="PyTorch", extra="worker")


def get_model(arch_vec: Sequence[Any], num_classes: int = 100, stem_channels: int = 32) -> Network:
    """Return the network of an arch vector, initialised as PyTorch does.

    Raises ArchitectureError, a ValueError, for an invalid arch vector.
    """
    network: Network = _model.build_model(arch_vec, num_classes, stem_channels)
    return network
