"""Arguments that several commands take: architectures, jobs, a recipe with fields that differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from blox_core.errors import ArchitectureError, LatencyError, RecipeError, UnknownArchitecture
from blox_core.latency import LatencyProtocol
from blox_core.recipe import PRESETS, Recipe, preset
from blox_core.space import SPACE_SIZE, Architecture, index_of, index_of_hash
from blox_core.space.index_spans import parse_indices
from blox_store.store.values import MAX_PRIORITY

Fields = TypeVar("Fields", Recipe, LatencyProtocol)

_HASH: Final = re.compile(r"[0-9a-fA-F]{32}")


def given_indices(text: str) -> list[int]:
    """Return the arch indices of an argument such as `0-9,77`; raise click.BadParameter."""
    try:
        return parse_indices(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def parse_architecture(text: str) -> Architecture:
    """Return the architecture of an arch index, a model hash or an arch vector.

    Raises click.BadParameter.
    """
    try:
        if _HASH.fullmatch(text):
            return Architecture(index_of_hash(text))
        value = json.loads(text)
        return Architecture(value if isinstance(value, int) else index_of(value))
    except (ArchitectureError, UnknownArchitecture) as error:
        raise click.BadParameter(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(
            f"{text!r:.100}: an arch index such as 18639, a model hash of 32 hex digits, or an arch "
            "vector such as '[[[0],[0,0,1,0]],[[0],[0,0,1,0]],[[0],[0,0,1,0]]]' is allowed"
        ) from error


def recipe_options(default: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Add `--recipe` and `--set` to a command, which takes them as `recipe` and `changes`."""
    needed: dict[str, Any] = (
        {"required": True} if default is None else {"default": default, "show_default": True}
    )
    recipe_option = click.option(
        "--recipe",
        **needed,
        callback=_preset,
        help=f"One of {', '.join(PRESETS)}.",
    )
    set_option = set_fields_of("recipe")
    return lambda function: recipe_option(set_option(function))


def set_fields_of(noun: str) -> Callable[[Callable[..., Any]], Any]:
    """Return the option `--set` of a command, which takes it as `changes`."""
    return click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="FIELD=VALUE",
        callback=_changes,
        help=f"Change a field of the {noun}, such as precision=bf16; may be given several times.",
    )


def job_options(to_do: str, done: str) -> Callable[[Callable[..., Any]], Any]:
    """Add `--indices` and `--priority` of the jobs of a run to a command; say what is done in it."""
    indices_option = click.option(
        "--indices",
        type=given_indices,
        metavar="0-9,77",
        help=f"Arch indices to {to_do}; default: all {SPACE_SIZE:,}.",
    )
    priority_option = click.option(
        "--priority",
        type=click.IntRange(0, MAX_PRIORITY),
        default=0,
        show_default=True,
        help=f"Of the jobs that are added; those of a higher one are {done} sooner.",
    )
    return lambda function: indices_option(priority_option(function))


def changed(given: Fields, changes: Mapping[str, Any]) -> Fields:
    """Return a recipe or protocol with other values of some fields; raise click.BadParameter."""
    try:
        return type(given).from_dict({**given.to_dict(), **changes})
    except (RecipeError, LatencyError) as error:
        raise click.BadParameter(
            f"{error}; VALUE is JSON, such as true, 0.5 or [0.5, 0.5, 0.5], or else text",
            param_hint="--set",
        ) from error


def _preset(context: click.Context, option: click.Parameter, name: str) -> Recipe:
    try:
        return preset(name)
    except RecipeError as error:
        raise click.BadParameter(str(error)) from error


def _changes(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r}: FIELD=VALUE such as precision=bf16 is allowed")
        if name in changes:
            raise click.BadParameter(f"{name} is given twice; give each field once")
        changes[name] = _value(value)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
