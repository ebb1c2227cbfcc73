"""What all commands share: `--database`, and errors as one line on standard error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from blox_core.errors import BloxError
from blox_core.home import expanded
from blox_store.exit_codes import FAILURE, INTERRUPTED, SUCCESS, USAGE


class HomePath(click.Path):
    """A path; `~` is the home folder also where no shell has said so, as in `--out=~/release`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what `click.Path` makes of it."""
        return super().convert(str(expanded(value)), param, ctx)


def run(command: click.Command, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a foreseeable error is one line, not a traceback."""
    try:
        code = command.main(arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.UsageError as error:
        at = program if error.ctx is None else error.ctx.command_path
        return _complain(program, f"{error.format_message().rstrip('.')}; see '{at} --help'", USAGE)
    except click.Abort:
        return _complain(program, "interrupted", INTERRUPTED)
    except click.ClickException as error:
        return _complain(program, error.format_message(), FAILURE)
    except (BloxError, OSError) as error:  # a full disk, a folder that is not to be written
        return _complain(program, str(error), FAILURE)
    return code if isinstance(code, int) else SUCCESS


def database_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--database` to a command."""
    return click.option(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/NAME; default: BLOX_DATABASE_URL, "
        "else sqlite:///blox.db",
    )(function)


def database_url(option: str | None) -> str:
    """Return the URL of `--database`, of the settings where the option was not given."""
    from blox_store.settings import StoreSettings, read_settings  # not for `--help`: 0.4 s

    return option or read_settings(StoreSettings).database_url


def _complain(program: str, message: str, code: int) -> int:
    click.echo(f"{program}: {' '.join(message.split())}", err=True)
    return code
