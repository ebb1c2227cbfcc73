"""Optional dependencies, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from blox_core.errors import ExtraMissing


def optional_module(name: str, *, package: str, extra: str) -> ModuleType:
    """Import and return a module of an optional dependency.

    Raises ExtraMissing, naming the pip extra that installs the package.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ExtraMissing(
            f"{package} is not installed ({error}): in the checkout of Blox run `pip install '.[{extra}]'`"
        ) from error
