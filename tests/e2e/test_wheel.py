"""The wheel, alone in an environment of its own: it reads releases, and says what more needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.made_once import made_once

ROOT = Path(__file__).parents[2]
INTERPRETER = Path("venv/bin/python")
READ = """
import sys, blox
d = blox.from_folder("release", extended=True, include_static_info=True, include_env_info=True)
print(len(d), [d.val_acc(i) for i in sorted(d.indices)], blox.__version__, blox.__file__)
assert d.full_info(d.indices[0])["train_loss"]
assert not {"torch", "celery", "sqlalchemy"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that holds the wheel and what it depends on."""
    return made_once(tmp_path_factory, "wheel", install_wheel) / INTERPRETER


def install_wheel(folder):
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    pip(sys.executable, *build, f"--config-settings=build-dir={folder}/build")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (wheel,) = folder.glob("blox-*.whl")
    pip(folder / INTERPRETER, "install", "-q", wheel)


def pip(interpreter, *arguments):
    subprocess.run([interpreter, "-m", "pip", *arguments], check=True, stderr=subprocess.DEVNULL)


def run(folder, *command):
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_it_brings_isal_numpy_and_pyyaml_and_nothing_else(python):
    listed = run(python.parent, python, "-m", "pip", "list", "--format=freeze").stdout.lower()
    names = {line.partition("==")[0] for line in listed.split()}
    assert names - {"pip", "setuptools"} == {"blox", "isal", "numpy", "pyyaml"}


def test_it_reads_a_release(python, demo, tmp_path):
    folder, printed = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    ended = run(tmp_path, python, "-c", READ)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2 [")
    assert str(ROOT) not in ended.stdout
    assert "site-packages" in ended.stdout
    for value in ended.stdout.partition("[")[2].partition("]")[0].split(", "):
        assert f"{float(value):.2f}" in printed


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["{bin}/blox", "train", "--local"], "blox: 'blox train' needs "),
        (["{bin}/blox", "demo"], "blox: 'blox demo' needs "),
        (["{bin}/python", "-m", "blox_store.export", "--out", "r"], "blox_store.export: 'python"),
    ],
)
def test_what_needs_an_extra_says_which(python, tmp_path, command, message):
    ended = run(tmp_path, *(part.format(bin=python.parent) for part in command))
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "not installed; in the checkout of Blox run: pip install '.[" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_wheel_holds_our_packages_and_no_sources_of_the_codec(python):
    (site,) = (python.parents[1] / "lib").glob("python*/site-packages")
    found = {path.name for path in Path(site).glob("blox*") if path.is_dir()}
    assert {name for name in found if "dist-info" not in name} == {
        "blox",
        "blox_core",
        "blox_store",
        "blox_worker",
    }
    assert (site / "blox_core" / "space" / "hashes.bin").stat().st_size == 91_125 * 16
    assert (site / "blox_store" / "report" / "page.html").is_file()
    assert not [*site.glob("blox_store/codec/*.?pp")]
    assert [*site.glob("blox_store/store/migrations/versions/0001*.py")]
