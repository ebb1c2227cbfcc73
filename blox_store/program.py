"""Starting a command whose dependencies may not be installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from blox_store.exit_codes import FAILURE, INTERRUPTED
from blox_store.plain_output import show_all_in_ascii_if_needed

_OUR_PACKAGES: Final = ("blox", "blox_core", "blox_store", "blox_worker")


def launch(module: str, *, program: str, extra: str, arguments: Sequence[str] | None = None) -> int:
    """Run the `command` of a module and return its exit code.

    Where a dependency is missing, one line on standard error names the pip extra that has it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    show_all_in_ascii_if_needed()
    try:
        command = import_module(module).command
        command_line = import_module("blox_store.command_line")
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OUR_PACKAGES:
            raise
        asked = " ".join([program, *given[:1]])
        sys.stderr.write(
            f"{program}: '{asked}' needs {error.name}, which is not installed; "
            f"in the checkout of Blox run: pip install '.[{extra}]'\n"
        )
        return FAILURE
    code: int = command_line.run(command, program, given)
    return code
