"""Which code, machine and versions this process trains with."""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import torch

from blox_core.result.environment import NONE, UNKNOWN, Environment

_ROOT: Final = Path(__file__).resolve().parents[2]
_DRIVER_FILE: Final = Path("/proc/driver/nvidia/version")
_CPU_FILE: Final = Path("/proc/cpuinfo")
_CUDA_LIBRARY: Final = "libcuda.so.1"
_GIT_TIMEOUT_S: Final = 10
_COMMIT_FILE: Final = Path("blox_core", "COMMIT")  # of an image, which holds no repository


@cache
def environment_of(device: torch.device) -> Environment:
    """Return the environment of a training on this device; found out once per process."""
    return Environment(
        codebase_commit=_commit(_ROOT),
        codebase_version=_codebase_version(_ROOT),
        cuda=_cuda_version(_CUDA_LIBRARY),
        driver=_driver_version(_DRIVER_FILE),
        gpu=_device_name(device),
        platform=platform.platform(),
        ptflops_version=_version("ptflops") or NONE,
        python=".".join(map(str, sys.version_info)),
        torch_commit=torch.version.git_version or UNKNOWN,
        torch_cuda_version=torch.version.cuda or NONE,
        torch_version=str(torch.__version__),  # is of a subclass
        torchvision_version=_version("torchvision") or NONE,
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _codebase_version(root: Path) -> str:
    """Return the version of the installed distribution, or that of the checkout."""
    project = root / "pyproject.toml"
    if project.exists():  # an installed distribution may be older than the checkout that runs
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    return _version("blox") or UNKNOWN


def _commit(root: Path) -> str:
    built_from = root / _COMMIT_FILE
    if built_from.exists():
        return built_from.read_text("ascii").strip() or UNKNOWN
    top_and_head = _git(root, "rev-parse", "--show-toplevel", "HEAD")
    # An installed package may lie in somebody else's repository.
    if top_and_head is None or Path(top_and_head.splitlines()[0]) != root:
        return UNKNOWN
    commit = top_and_head.splitlines()[1]
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit} (dirty)" if changes else commit


def _git(root: Path, *arguments: str) -> str | None:
    """Return the output of a git command, None where it fails or there is no git."""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _driver_version(file: Path) -> str:
    """Return the NVIDIA driver's version, which its module writes in front of a date."""
    if not file.exists():
        return NONE
    found = re.search(
        r"NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", file.read_text("ascii", "replace")
    )
    return found[1] if found else UNKNOWN


def _cuda_version(library: str) -> str:
    """Ask the driver's library for the newest CUDA it supports (cuDriverGetVersion)."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return NONE
    version = ctypes.c_int()
    failed = driver.cuDriverGetVersion(ctypes.byref(version))
    # CUDA driver API: 1000 x major + 10 x minor.
    return UNKNOWN if failed else f"{version.value // 1000}.{version.value % 1000 // 10}"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(_CPU_FILE)


def _cpu_name(file: Path) -> str:
    if file.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", file.read_text("utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine() or UNKNOWN
