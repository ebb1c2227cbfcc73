"""Which device, by which libraries, a latency was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from blox_core.latency.fields import check_fields, check_names
from blox_core.result.environment import NONE
from blox_core.rules import Rule, int_from

_NOUN: Final = "device identity"
_DECIDING: Final = ("name", "instructions", "driver", "cuda", "cudnn", "torch", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class DeviceIdentity:
    """What latencies depend on beside the protocol; those of equal identities may be compared.

    `name` is the GPU's or the CPU's and `clock_mhz` its highest clock; of a CPU whose system does
    not tell it that of the moment, to 100 MHz, or None. `cores` are the CPU's that the process may
    use, `instructions` the vector instructions that torch uses on it. `driver` is NVIDIA's, `cuda`
    and `cudnn` are what torch was built with; these three are `none` on a CPU, and `onnxruntime` is
    wherever it computes nothing. Raises LatencyError for values not allowed.
    """

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

    def __post_init__(self) -> None:
        check_fields(self, _NOUN, _RULES)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON holds exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DeviceIdentity:
        """Return the identity of `to_dict`'s values, also after a way through JSON.

        Raises LatencyError for keys that are missing or unknown, and for values not allowed.
        """
        check_names(cls, _NOUN, values)
        return cls(**values)


def deciding_facts(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an identity's device, of `to_dict`'s values; None for one that is not there.

    Clock, Python and system (with the kernel's release) do not: a benchmark outlives updates of
    them, and some machines tell the clock of the moment. Cores do on a CPU, whose caches they share.
    """
    is_cpu = identity.get("driver") == NONE
    names = (*_DECIDING, "cores") if is_cpu else _DECIDING
    return {name: identity.get(name) for name in names}


def _text() -> Rule:
    return "a string", lambda value: isinstance(value, str)


def _clock() -> Rule:
    words, is_allowed = int_from(1)
    return f"{words}, or None", lambda value: value is None or is_allowed(value)


_RULES: Final[dict[str, Rule]] = {
    "name": _text(),
    "clock_mhz": _clock(),
    "cores": int_from(1),
    "instructions": _text(),
    "driver": _text(),
    "cuda": _text(),
    "cudnn": _text(),
    "torch": _text(),
    "onnxruntime": _text(),
    "python": _text(),
    "system": _text(),
}
