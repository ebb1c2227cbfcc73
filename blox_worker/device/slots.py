"""The slots of this machine, in each of which a launcher runs one worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from blox_worker.device.gpus import CPU, CUDA, VISIBLE, Gpu, hidden, inventory
from blox_worker.errors import DeviceMissing
from blox_worker.settings import WorkerSettings

ALL: Final = "all"
_MEASURING: Final = "measuring-"


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One place of a launcher in which one worker process runs.

    `name` is the worker's, `device` torch's name in the process, `environment` what is set there.
    """

    name: str
    device: str
    environment: Mapping[str, str]


def slots(option: str, jobs_per_gpu: int, settings: WorkerSettings, host: str) -> list[Slot]:
    """Return the slots of `all`, `cpu` or GPU numbers such as `0,1`, several on each if asked.

    Raises DeviceMissing for what this machine does not have.
    """
    if option == CPU:
        return _shared(CPU, jobs_per_gpu, host, device=CPU, visible_devices="")
    pretended = settings.gpu_inventory is not None
    made: list[Slot] = []
    for gpu in chosen(option, inventory(settings)):
        made += _shared(
            f"gpu{gpu.number}",
            jobs_per_gpu,
            host,
            device=CPU if pretended else CUDA,
            visible_devices=gpu.uuid,
        )
    return made


def _shared(place: str, jobs: int, host: str, *, device: str, visible_devices: str) -> list[Slot]:
    names = [place] if jobs == 1 else [f"{place}-{share}" for share in range(jobs)]
    environment = {VISIBLE: visible_devices}
    return [Slot(name=f"{name}@{host}", device=device, environment=environment) for name in names]


def single_slot(option: str | None, settings: WorkerSettings, host: str) -> Slot:
    """Return the slot of `cpu`, of a GPU's number, or of the first GPU; raise DeviceMissing."""
    if option == CPU:
        return slots(CPU, 1, settings, host)[0]
    numbers = [str(gpu.number) for gpu in inventory(settings)]
    if not numbers:
        raise DeviceMissing(f"no GPU found{hidden()}; use --gpu cpu")
    if option is not None and option not in numbers:
        raise DeviceMissing(
            f"--gpu {option!r}: this machine has GPU {', '.join(numbers)}; "
            "--gpu allows cpu or one of these numbers"
        )
    return slots(option or numbers[0], 1, settings, host)[0]


def chosen(option: str, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPUs of `all` or of numbers such as `0,1`; raise DeviceMissing."""
    if option == ALL and not gpus:
        raise DeviceMissing(f"no GPU found{hidden()}; use --gpus cpu")
    if option == ALL:
        return list(gpus)
    by_number = {str(gpu.number): gpu for gpu in gpus}
    asked = [part.strip() for part in option.split(",")]
    if not set(asked) <= set(by_number):
        there = f"GPU {', '.join(by_number)}" if by_number else f"no GPU{hidden()}"
        allowed = "all, cpu or numbers such as 0,1" if by_number else "cpu"
        raise DeviceMissing(f"--gpus {option!r}: this machine has {there}; --gpus allows {allowed}")
    if len(set(asked)) < len(asked):
        raise DeviceMissing(
            f"--gpus {option!r}: names a GPU twice; give each once, and --jobs-per-gpu for more"
        )
    return [by_number[number] for number in asked]


def measuring(name: str) -> str:
    """Return the name of a worker that measures where another one of this name may train."""
    return f"{_MEASURING}{name}"


def is_measuring(name: str) -> bool:
    """Return whether a worker of this name measures."""
    return name.startswith(_MEASURING)
