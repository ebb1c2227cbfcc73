import click
import pytest

from blox_core.errors import BloxError
from blox_store import command_line, program


@click.group()
def command():
    """Do something."""


@command.command()
@click.option("--number", type=int, required=True)
def double(number):
    """Print twice a number; fail for some."""
    if number == 13:
        raise BloxError("13 is not liked\nat all; choose another")
    if number == 14:
        raise click.Abort
    if number == 15:
        raise click.FileError("fifteen.txt", hint="it is gone")
    if number == 17:
        raise OSError(28, "No space left on device", "file.txt")
    click.echo(2 * number)
    return 3 if number == 16 else None


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["double", "--number", "4"], 0, ""),
        (["double", "--number", "16"], 3, ""),
        (["double", "--number", "13"], 1, "prog: 13 is not liked at all; choose another\n"),
        (["double", "--number", "14"], 130, "prog: interrupted\n"),
        (["double", "--number", "15"], 1, "prog: Could not open file 'fifteen.txt': it is gone\n"),
        (["double", "--number", "17"], 1, "prog: [Errno 28] No space left on device: 'file.txt'\n"),
        (["double"], 2, "prog: Missing option '--number'; see 'prog double --help'\n"),
        (["halve"], 2, "prog: No such command 'halve'; see 'prog --help'\n"),
        (["--what"], 2, "prog: No such option '--what'; see 'prog --help'\n"),
        (["--help"], 0, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(capsys, arguments, code, error):
    assert command_line.run(command, "prog", arguments) == code
    assert capsys.readouterr().err == error


def test_a_command_without_a_verb_shows_what_there_is(capsys):
    assert command_line.run(command, "prog", []) == 2
    assert "double  Print twice a number" in capsys.readouterr().err


def test_a_missing_dependency_names_the_extra_that_has_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "needy.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    code = program.launch("needy", program="prog", extra="worker", arguments=["train", "--local"])
    assert code == 1
    assert capsys.readouterr().err == (
        "prog: 'prog train' needs a_module_that_nobody_has, which is not installed; "
        "in the checkout of Blox run: pip install '.[worker]'\n"
    )


def test_an_interruption_while_it_starts_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert program.launch("slow", program="prog", extra="worker", arguments=[]) == 130
    assert capsys.readouterr().err == "prog: interrupted\n"


def test_a_missing_module_of_ours_is_a_bug_and_stays_a_traceback():
    with pytest.raises(ModuleNotFoundError):
        program.launch("blox_worker.nothing", program="prog", extra="worker", arguments=[])
