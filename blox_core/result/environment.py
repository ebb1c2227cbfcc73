"""The environment row of a result, as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "unknown"  # it exists, and its name could not be found out
NONE: Final = "none"  # there is no such thing here
MAX_LENGTH: Final = 255  # of a string in a release file


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The twelve strings of the published environment files, each ASCII of at most 255 bytes.

    `none` stands for what a machine does not have (CUDA, a driver), `unknown` for what could not
    be found out. Any other character than printable ASCII becomes `?`.

    * `codebase_commit`: the commit of the checkout, with ` (dirty)` where tracked files differ;
      in an image the one that it was built from; `unknown` elsewhere. `codebase_version`: of the distribution.
    * `cuda`: the newest CUDA that the driver supports; `driver`: the NVIDIA driver;
      `torch_cuda_version`: the CUDA that torch was built with.
    * `gpu`: the GPU's name, or the CPU's where the training ran on it.
    """

    codebase_commit: str
    codebase_version: str
    cuda: str
    driver: str
    gpu: str
    platform: str
    ptflops_version: str
    python: str
    torch_commit: str
    torch_cuda_version: str
    torch_version: str
    torchvision_version: str

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, _printable(value))


def _printable(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)[:MAX_LENGTH]
