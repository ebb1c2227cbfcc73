"""The device of this process, as it is found."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any, Final

import torch

from blox_core.errors import CannotMeasure
from blox_core.extras import optional_module
from blox_core.latency.device import DeviceIdentity
from blox_core.latency.pinning import usable_cores
from blox_core.latency.protocol import ONNXRUNTIME_CPU, LatencyProtocol
from blox_core.result.environment import NONE
from blox_core.training.provenance import environment_of

_HIGHEST_CLOCK_FILE: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
_CPU_FILE: Final = Path("/proc/cpuinfo")
_KHZ_PER_MHZ: Final = 1_000
_STEP_MHZ: Final = 100  # of a clock that is never the same twice


def torch_device(protocol: LatencyProtocol) -> torch.device:
    """Return the device on which a protocol measures; raise CannotMeasure if it is not there."""
    if protocol.on_cuda and not torch.cuda.is_available():
        raise CannotMeasure(
            f"latency backend {protocol.backend!r}: torch finds no CUDA GPU here; measure by one "
            "of a CPU, or where nvidia-smi shows a GPU"
        )
    return torch.device("cuda" if protocol.on_cuda else "cpu")


def device_identity(protocol: LatencyProtocol) -> DeviceIdentity:
    """Return the identity of the device on which a protocol measures in this process.

    Raises CannotMeasure without the GPU, and ExtraMissing without ONNX Runtime, that it takes.
    """
    device = torch_device(protocol)
    found = environment_of(device)
    on_gpu = protocol.on_cuda
    return DeviceIdentity(
        name=found.gpu,
        clock_mhz=_gpu_clock(device) if on_gpu else _cpu_clock(_HIGHEST_CLOCK_FILE, _CPU_FILE),
        cores=len(usable_cores()),
        instructions=torch.backends.cpu.get_cpu_capability(),
        driver=found.driver if on_gpu else NONE,
        cuda=found.torch_cuda_version if on_gpu else NONE,
        cudnn=_cudnn() if on_gpu else NONE,
        torch=found.torch_version,
        onnxruntime=_onnxruntime() if protocol.backend == ONNXRUNTIME_CPU else NONE,
        python=platform.python_version(),
        system=found.platform,
    )


def _cudnn() -> str:
    cudnn: Any = torch.backends.cudnn
    return str(cudnn.version())


def _onnxruntime() -> str:
    runtime = optional_module("onnxruntime", package="onnxruntime", extra="latency")
    return str(runtime.__version__)


def _gpu_clock(device: torch.device) -> int:
    khz: int = torch.cuda.get_device_properties(device).clock_rate
    return khz // _KHZ_PER_MHZ


def _cpu_clock(highest: Path, cpus: Path) -> int | None:
    """Return the highest clock in MHz, or where nothing tells it, as in most VMs, the present one.

    That is rounded to 100 MHz: an identity for every measurement would tell nobody anything.
    """
    if highest.exists():
        return int(highest.read_text("ascii")) // _KHZ_PER_MHZ
    if not cpus.exists():
        return None
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", cpus.read_text("utf-8"), re.MULTILINE)
    return _STEP_MHZ * round(float(found[1]) / _STEP_MHZ) if found else None
