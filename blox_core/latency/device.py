"""Which device, by which libraries, a latency was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from blox_core.errors import LatencyError
from blox_core.record import Record
from blox_core.result.environment import NONE
from blox_core.rules import FieldRules, Rule, int_from, or_none, text

_DECIDING: Final = ("name", "instructions", "driver", "cuda", "cudnn", "torch", "onnxruntime")
_RULES: Final[Mapping[str, Rule]] = {
    "name": text(),
    "clock_mhz": or_none(int_from(1)),
    "cores": int_from(1),
    "instructions": text(),
    "driver": text(),
    "cuda": text(),
    "cudnn": text(),
    "torch": text(),
    "onnxruntime": text(),
    "python": text(),
    "system": text(),
}


@dataclass(frozen=True, kw_only=True)
class DeviceIdentity(Record):
    """What latencies depend on beside the protocol; those of equal identities may be compared.

    `name` is the GPU's or the CPU's and `clock_mhz` its highest clock; of a CPU whose system does
    not tell it that of the moment, to 100 MHz, or None. `cores` are the CPU's that the process may
    use, `instructions` the vector instructions that torch uses on it. `driver` is NVIDIA's, `cuda`
    and `cudnn` are what torch was built with; these three are `none` on a CPU, and `onnxruntime` is
    wherever it computes nothing. Raises LatencyError for values not allowed.
    """

    _FIELDS = FieldRules(noun="device identity", error=LatencyError, rules=_RULES)

    name: str
    clock_mhz: int | None
    cores: int
    instructions: str
    driver: str
    cuda: str
    cudnn: str
    torch: str
    onnxruntime: str
    python: str
    system: str


def deciding_facts(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an identity's device, of `to_dict`'s values; None for one that is not there.

    Clock, Python and system (with the kernel's release) do not: a benchmark outlives updates of
    them, and some machines tell the clock of the moment. Cores do on a CPU, whose caches they share.
    """
    is_cpu = identity.get("driver") == NONE
    names = (*_DECIDING, "cores") if is_cpu else _DECIDING
    return {name: identity.get(name) for name in names}
