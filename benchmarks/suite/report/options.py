"""What a benchmark can be told: the fields of a dataclass are the options of its command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

Told = TypeVar("Told", bound="Options")
Parser = Callable[[str], Any]


def option(usual: Any, help: str, kind: Parser | None = None, **more: Any) -> Any:
    """Return a field of options: what it is without a word, and how a word is read.

    Without a `kind` it is a switch; `more` is what argparse is to know.
    """
    if kind is None:
        more["action"] = "store_true"
    else:
        more["type"] = kind
    if usual not in (None, False, ()):
        as_typed = ",".join(map(str, usual)) if isinstance(usual, tuple) else usual
        help = f"{help} ({as_typed})"
    return field(default=usual, metadata=more | {"help": help})


def number(kind: type[int | float], least: float, most: float = math.inf) -> Parser:
    """Return how a number of a range is read."""
    words = "an integer" if kind is int else "a number"
    range_words = f"of {least} or more" if most == math.inf else f"from {least:,} to {most:,}"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: {words} {range_words} is allowed")
        return value

    return read


def several(kind: Parser) -> Parser:
    """Return how a list such as 100,300 is read."""
    return lambda text: tuple(map(kind, text.split(",")))


def new_file(text: str) -> Path:
    """Return the path of a file that can be made."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: a file in a folder that is there is allowed")
    return path


def named_number(text: str) -> tuple[str, float]:
    """Return a name and a number."""
    name, _, value = text.rpartition("=")
    with suppress(ValueError):
        if name and not math.isnan(float(value)):
            return name, float(value)
    raise argparse.ArgumentTypeError(f"{text!r}: NAME=NUMBER is allowed")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every benchmark can be told."""

    parts: Sequence[str] = ()
    json: Path | None = option(  # noqa: RUF009 - it returns a field
        None, "Write everything there too.", new_file, metavar="FILE"
    )
    check: bool = option(False, "Exit by 1 if a bound is missed, and say which.")
    any_load: bool = option(False, "Measure on a busy machine too; marks the table.")
    bound: Sequence[tuple[str, float]] = option(
        (), "Another bound of a row.", named_number, action="append", metavar="NAME=NUMBER"
    )


def told(
    kind: type[Told], name: str, parts: Sequence[str], arguments: Sequence[str] | None
) -> Told:
    """Return what a command line says; end the process by 2 if it says something else."""
    parser = argparse.ArgumentParser(prog=f"python benchmarks/{name}.py")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"Of {', '.join(parts)}.")
    for one in fields(kind):
        if one.metadata:
            flag = f"--{one.name.replace('_', '-')}"
            parser.add_argument(flag, default=argparse.SUPPRESS, **one.metadata)
    try:
        options = kind(**vars(parser.parse_args(arguments)))
        for part in options.parts:
            if part not in parts:
                raise ValueError(f"{part!r}: one of {', '.join(parts)} is allowed")
        return options
    except ValueError as error:
        parser.error(str(error))
