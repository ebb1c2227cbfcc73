"""Every command and example in README and docs runs, and every option and setting is described."""

import os
import re
import shutil
from itertools import chain
from pathlib import Path

import pytest

from blox_store.export.command import command as export_command
from blox_store.ingest.command import command as ingest_command
from blox_store.settings import StoreSettings
from blox_store.verify.command import command as verify_command
from blox_worker.commands import command as blox_command
from blox_worker.settings import (
    BrokerSettings,
    LogSettings,
    MetricsSettings,
    RunSettings,
    WorkerSettings,
)
from tests.support.commands import DEMO
from tests.support.tiny import init_options

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# `make demo` is run by `test_demo.py`; the others run it.
RUN_ELSEWHERE = ("make demo", "make test", "make test-all")
SETTINGS = (
    StoreSettings,
    WorkerSettings,
    BrokerSettings,
    RunSettings,
    MetricsSettings,
    LogSettings,
)


def blocks(page, language):
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def named(page):
    return str(page.relative_to(ROOT))


def commands_of(page):
    """Return the commands of a page, with tiny trainings, but for those that run these tests."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line]
    return [made_short(line) for line in lines if line not in RUN_ELSEWHERE]


def made_short(line):
    if line == DEMO:
        return line.replace("--architectures 2", "--architectures 1")
    trains = line.startswith("blox init --recipe digits ") and "--trainer" not in line
    return f"{line} {init_options()}" if trains else line


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_order(commands):
    lines = commands_of(README)
    assert len(lines) >= 5
    for line in lines:
        commands.succeed(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != README and commands_of(page)], ids=named
)
def test_the_commands_of_a_page_run_in_order(typed, page):
    for line in commands_of(page):
        typed.succeed(line)


def test_the_python_examples_of_the_readme_run(commands, demo, tmp_path):
    folder, _ = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    (example,) = blocks(README, "python")
    one_epoch = example.replace("epoch=3", "epoch=1")  # the short demo has no third one
    checks = "assert d.val_acc(arch) > 0 and d.params(arch) > 0 and len(d) == 2\n"
    (tmp_path / "example.py").write_text(one_epoch + checks)
    commands.succeed("python example.py")


def test_every_command_option_and_setting_is_described():
    described = (ROOT / "docs" / "reference" / "commands.md").read_text()
    commands = {
        f"blox {name}": blox_command.get_command(None, name)
        for name in blox_command.list_commands(None)
    }
    commands["python -m blox_store.export"] = export_command
    commands["python -m blox_store.ingest"] = ingest_command
    commands["python -m blox_store.verify"] = verify_command
    for name, command in commands.items():
        (section,) = re.findall(
            rf"^## `{name}`\n(.*?)(?=^## )", described, re.MULTILINE | re.DOTALL
        )
        shown = (option for option in command.params if not getattr(option, "hidden", False))
        for option in chain.from_iterable(option.opts for option in shown):
            assert option in (described if option == "--database" else section), (name, option)
    for settings in SETTINGS:
        for field, about in settings.model_fields.items():
            default = about.default
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert f"| `BLOX_{field.upper()}` | `{shown}` |" in described, field


def test_the_docs_name_no_variable_that_is_not_read():
    known = {f"BLOX_{field.upper()}" for settings in SETTINGS for field in settings.model_fields}
    known |= {"BLOX_TEST_POSTGRES_URL", "BLOX_TEST_REDIS_URL"}
    known |= {"BLOX_TEST_FREE_GB", "BLOX_TEST_KEEP_CACHE", "BLOX_WITH_ENGINE"}
    known |= set(re.findall(r"^#?(BLOX_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"BLOX_[A-Z_]*[A-Z]", page.read_text())) <= known, page


def test_no_page_names_a_path_of_this_machine():
    for page in PAGES:
        assert f"{ROOT}{os.sep}" not in page.read_text()
