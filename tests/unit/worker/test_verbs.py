"""The list of `blox`'s commands: each can be loaded, and the list itself needs none of them."""

import click
from click.testing import CliRunner

from blox_worker.commands import command


def test_the_help_lists_every_command_in_a_line_of_its_own():
    printed = CliRunner().invoke(command, ["--help"]).output
    _, listed = printed.split("Commands:\n")
    lines = [line.split(maxsplit=1) for line in listed.splitlines()]
    with click.Context(command) as context:
        verbs = command.list_commands(context)
        assert [verb for verb, _ in lines] == verbs
        assert all(command.get_command(context, verb).name == verb for verb in verbs)
    assert all(text.endswith(".") and "..." not in text for _, text in lines)
