from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

_PEAK = """
from pathlib import Path as _Path
_status = _Path("/proc/self/status").read_text().split("VmHWM:")[1]
print(int(_status.split()[0]) / 1024)
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a process printed, and the most memory that it had."""

    printed: str
    peak_mb: float


class RunPython(Protocol):
    """Runs a text in another Python, with at most so much address space."""

    def __call__(self, code: str, *args: Any, address_mb: int | None = None) -> Ended: ...


@pytest.fixture(scope="session")
def python() -> RunPython:
    def run(code: str, *args: Any, address_mb: int | None = None) -> Ended:
        def limit() -> None:
            if address_mb is not None:
                resource.setrlimit(resource.RLIMIT_AS, (address_mb * 2**20,) * 2)

        command = [sys.executable, "-c", code + _PEAK, *map(str, args)]
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, preexec_fn=limit
        )
        assert ended.returncode == 0, ended.stderr
        *printed, peak = ended.stdout.splitlines()
        return Ended(printed="\n".join(printed), peak_mb=float(peak))

    return run


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The readable codec that stands beside this file."""
    path = Path(__file__).with_name("reference_codec.py")
    spec = importlib.util.spec_from_file_location("reference_codec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
