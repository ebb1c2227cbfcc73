"""A recipe as a command line gives it: a preset, and the fields that differ from it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from blox_core.errors import LatencyError, RecipeError
from blox_core.latency import LatencyProtocol
from blox_core.recipe import PRESETS, Recipe, preset

Fields = TypeVar("Fields", Recipe, LatencyProtocol)


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


def changed(given: Fields, changes: Mapping[str, Any]) -> Fields:
    """Return a recipe or protocol with other values of some fields; raise click.BadParameter."""
    try:
        made: Fields = type(given).from_dict({**given.to_dict(), **changes})
    except (RecipeError, LatencyError) as error:
        raise click.BadParameter(
            f"{error}; VALUE is JSON, such as true, 0.5 or [0.5, 0.5, 0.5], or else text",
            param_hint="--set",
        ) from error
    return made


def options_of(recipe: Recipe, base: Recipe) -> str:
    """Return the options that make this recipe of a preset."""
    (name,) = (name for name, known in PRESETS.items() if known == base)
    values, known = recipe.to_dict(), base.to_dict()
    changes = {field: value for field, value in values.items() if value != known[field]}
    texts = (f"{field}={_text(value)}" for field, value in changes.items())
    return " ".join([f"--recipe {name}", *(f"--set {shlex.quote(text)}" for text in texts)])


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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
