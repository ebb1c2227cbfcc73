"""Which device, by which libraries, a latency was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from blox_core.errors import LatencyError
from blox_core.record import Record
from blox_core.result.environment import NONE
from blox_core.rules import Count, Text, int_from, or_none

_DECIDING: Final = ("name", "instructions", "driver", "cuda", "cudnn", "torch", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class DeviceIdentity(Record, noun="device identity", error=LatencyError):
    """What latencies depend on beside the protocol; those of equal identities may be compared.

    `name` is the GPU's or the CPU's and `clock_mhz` its highest clock; of a CPU whose system does
    not tell it that of the moment, to 100 MHz, or None. `cores` are the CPU's that the process may
    use, `instructions` the vector instructions that torch uses on it. `driver` is NVIDIA's, `cuda`
    and `cudnn` are what torch was built with; these three are `none` on a CPU, and `onnxruntime` is
    wherever it computes nothing. Raises LatencyError for values not allowed.
    """

    name: Text
    clock_mhz: Annotated[int | None, or_none(int_from(1))]
    cores: Count
    instructions: Text
    driver: Text
    cuda: Text
    cudnn: Text
    torch: Text
    onnxruntime: Text
    python: Text
    system: Text


def deciding_facts(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an identity's device, of `to_dict`'s values; None for one that is not there.

    Clock, Python and system (with the kernel's release) do not: a benchmark outlives updates of
    them, and some machines tell the clock of the moment. Cores do on a CPU, whose caches they share.
    """
    is_cpu = identity.get("driver") == NONE
    names = (*_DECIDING, "cores") if is_cpu else _DECIDING
    return {name: identity.get(name) for name in names}
