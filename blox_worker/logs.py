"""How our processes log: lines for people or JSON for programs, and passwords in neither."""

from __future__ import annotations

import logging
from typing import Any, Final

import click
from pythonjsonlogger.json import JsonFormatter

from blox_store.passwords import without_passwords
from blox_store.settings import read_settings
from blox_worker.settings import JSON, TEXT, LogSettings

logger = logging.getLogger(__name__)

_OURS: Final = ("blox_core", "blox_store", "blox_worker")
_OF_JOBS: Final = "blox_worker.job_log"  # by its name: it needs the store, and `--help` does not


class LinesForPeople(logging.Formatter):
    """Time, level, logger and message; tracebacks follow on lines of their own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, without the passwords in it."""
        return without_passwords(super().format(record))


class LinesForPrograms(JsonFormatter):
    """One JSON object a line: time, level, logger, message, and what else is known of the event."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger"},
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a record, without the passwords in them."""
        # One by one: in the finished line a hidden password could take a quotation mark with it.
        return {
            name: without_passwords(value) if isinstance(value, str) else value
            for name, value in log_data.items()
        }


def set_up_logging(*, has_display: bool) -> None:
    """Log to standard error as BLOX_LOG says: our own events, and the warnings of others.

    A command that shows its jobs on a display of its own does not tell people of them twice.
    """
    kind = read_settings(LogSettings).log
    handler = logging.StreamHandler()
    handler.setFormatter(LinesForPrograms() if kind == JSON else LinesForPeople())
    logging.basicConfig(handlers=[handler])
    logging.captureWarnings(True)
    shows_jobs = has_display and kind == TEXT
    for package in _OURS:
        logging.getLogger(package).setLevel(logging.WARNING if shows_jobs else logging.INFO)
    logging.getLogger(_OF_JOBS).setLevel(logging.ERROR if shows_jobs else logging.NOTSET)


def is_for_programs() -> bool:
    """Return whether everything that a process prints is to be JSON."""
    return read_settings(LogSettings).log == JSON


def tell(text: str) -> None:
    """Print a line for people; where logs are for programs, log it."""
    if is_for_programs():
        logger.info("%s", text)
    else:
        click.echo(text)
