"""Optional dependencies, looked for where they are used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from blox_core.errors import ExtraMissing


def optional_module(name: str, *, package: str, extra: str) -> ModuleType:
    """Import and return a module of an optional dependency.

    Raises ExtraMissing, naming the pip extra that installs the package.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise _missing(package, str(error), extra) from error


def optional_file(module: str, name: str, *, package: str, extra: str) -> Path:
    """Return the path of a file in the folder of an optional dependency, which is not imported.

    Raises ExtraMissing, naming the pip extra that installs the package, where it or the file lacks.
    """
    found = find_spec(module)
    if found is None or found.origin is None:
        raise _missing(package, f"no module named {module!r}", extra)
    path = Path(found.origin).parent / name
    if not path.is_file():
        raise _missing(f"{package} with its {name}", f"there is no {path}", extra)
    return path


def _missing(package: str, reason: str, extra: str) -> ExtraMissing:
    return ExtraMissing(
        f"{package} is not installed ({reason}): in the checkout of Blox run `pip install '.[{extra}]'`"
    )
