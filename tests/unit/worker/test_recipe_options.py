from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from blox_core.recipe import preset
from blox_worker.commands.arguments import changed, recipe_options


def given(*arguments, default=None):
    """Return the recipe that a command is given by these arguments, or what it is refused with."""
    taken = []

    @click.command()
    @recipe_options(default)
    def command(recipe, changes):
        taken.append(changed(recipe, changes))

    ended = CliRunner().invoke(command, arguments)
    if ended.exit_code:
        assert ended.exit_code == 2, ended.output
        return ended.output.splitlines()[-1].removeprefix("Error: ")
    return taken[0]


def test_without_changes_it_is_the_preset():
    assert given("--recipe", "digits") is not given("--recipe", "cifar10")
    assert given("--recipe", "digits") == preset("digits")
    assert given(default="cifar10") == preset("cifar10")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("precision=bf16", {"precision": "bf16"}),
        ("deterministic=false", {"deterministic": False}),
        ("epochs=12", {"epochs": 12}),
        ("lr=0.05", {"lr": 0.05}),
        ("mean=[0.1, 0.2, 0.3]", {"mean": (0.1, 0.2, 0.3)}),
    ],
)
def test_a_field_is_changed_to_a_value_in_json_or_text(text, change):
    recipe = given("--recipe", "digits", "--set", text)
    assert recipe == replace(preset("digits"), **change)
    assert recipe.fingerprint != preset("digits").fingerprint


def test_several_fields_are_changed():
    recipe = given("--recipe", "digits", "--set", "epochs=7", "--set", "momentum=0.5")
    assert recipe == replace(preset("digits"), epochs=7, momentum=0.5)


def test_the_value_of_the_preset_changes_nothing():
    recipe = given("--recipe", "digits", "--set", "precision=fp32")
    assert recipe.fingerprint == preset("digits").fingerprint


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["precision"], "'precision': FIELD=VALUE such as precision=bf16 is allowed"),
        (["epochs=2", "epochs=3"], "epochs is given twice; give each field once"),
        (["precision=fp16"], "recipe field precision = 'fp16': one of fp64, fp32, tf32, bf16 is"),
        (["deterministic=no"], "deterministic = 'no': True or False is allowed; VALUE is JSON"),
        (["lr=1"], "recipe field lr = 1: a float above 0 is allowed"),
        (["lr=NaN"], "recipe field lr = nan: a float above 0 is allowed"),
        (['dataset={"a": 1}'], "recipe field dataset = {'a': 1}: one of cifar100, cifar10, digits"),
        (["mean=[0.1, [0.2], 0.3]"], "a tuple of three floats from 0 to 1 is allowed"),
        (["epoch=1"], "recipe fields missing or unknown: epoch; exactly these are allowed: batch_"),
        (["nesterov=true", "momentum=0.0"], "nesterov = True: False where momentum is 0"),
        ([f"epochs={'9' * 5000}"], "recipe field epochs = '999"),
    ],
)
def test_what_is_not_allowed_is_one_line(texts, words):
    arguments = [part for text in texts for part in ("--set", text)]
    line = given("--recipe", "digits", *arguments)
    assert line.startswith("Invalid value for ")
    assert "--set" in line
    assert words in line


def test_a_recipe_that_is_none():
    assert "recipe 'imagenet': one of cifar100, cifar10, digits" in given("--recipe", "imagenet")
    assert "Missing option '--recipe'" in given()
