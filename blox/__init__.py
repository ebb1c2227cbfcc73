"""The Blox benchmark: 91,125 CNNs of a macro search space, queried by architecture.

    import blox
    d = blox.from_folder("release")
    d.val_acc([[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]])

`blox.model`, which needs PyTorch, is loaded when it is first used.
"""

from typing import Any

from blox import dataset, graph_utils, io, search_space, utils
from blox.dataset import (
    BenchmarkingDataset,
    Budget,
    Dataset,
    EnvInfoDataset,
    StaticInfoDataset,
    from_folder,
)

__all__ = [
    "BenchmarkingDataset",
    "Budget",
    "Dataset",
    "EnvInfoDataset",
    "StaticInfoDataset",
    "dataset",
    "from_folder",
    "graph_utils",
    "io",
    "search_space",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name == "model":
        from importlib import import_module

        return import_module("blox.model")
    if name == "__version__":
        from blox.version import installed_version

        return installed_version()
    raise AttributeError(f"module 'blox' has no attribute {name!r}")
