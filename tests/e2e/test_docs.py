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

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETTINGS = (
    StoreSettings,
    WorkerSettings,
    BrokerSettings,
    RunSettings,
    MetricsSettings,
    LogSettings,
)
SHORT_DEMO = "--architectures 2 --epochs 1"


def blocks(page, language):
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def named(page):
    return str(page.relative_to(ROOT))


def pages_with_long_ones_marked():
    long = (ROOT / "README.md", ROOT / "docs" / "reference" / "commands.md")
    marked = {page: [pytest.mark.slow] if page in long else [] for page in PAGES}
    return [pytest.param(page, marks=marks, id=named(page)) for page, marks in marked.items()]


def run_as_a_reader(commands, line):
    """Run a line of the docs: `make` in the checkout, everything else in an empty folder."""
    if line == "make test":
        return  # it is what runs this test
    target = line.removeprefix("make ")
    if target != line:
        settings = {"DEMO_DIR": str(commands.folder / "demo"), "DEMO_FLAGS": SHORT_DEMO}
        line = f"make -C {ROOT} {target}"
        commands.succeed(line, **settings)
        return
    commands.succeed(line)


@pytest.mark.parametrize("page", pages_with_long_ones_marked())
def test_the_commands_of_a_page_run_in_order(commands, page, tmp_path):
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line]
    if page.name == "commands.md":
        lines = in_an_order_that_finishes_something(lines)
    for line in lines:
        run_as_a_reader(commands, line)
    assert not lines or any(tmp_path.iterdir())


def in_an_order_that_finishes_something(lines):
    """Train one architecture instead of two, so that the page takes half a minute less."""
    assert "blox init --recipe digits --seed 0 --indices 18639,19314" in lines
    return [line.replace("18639,19314", "18639") for line in lines]


def test_the_python_examples_of_the_readme_run(commands, demo, tmp_path):
    folder, _ = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    (example,) = blocks(ROOT / "README.md", "python")
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
