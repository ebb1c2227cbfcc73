"""The wheel, alone in an environment of its own: it reads releases, and says what more needs."""

import fnmatch
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import blox
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
    wheel = built_wheel(folder)
    venv = ["venv", "--without-pip", folder / "venv"]
    subprocess.run([sys.executable, "-m", *venv], check=True)
    pip("--python", folder / INTERPRETER, "install", "-q", "--no-compile", wheel)


def built_wheel(folder, *settings):
    """Build the wheel into a folder; return its path. What `make setup` compiled is not compiled again."""
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    pip(*build, *(f"--config-settings={setting}" for setting in settings))
    (wheel,) = folder.glob("blox-*.whl")
    return wheel


def pip(*arguments):
    """Run our own pip; return what it prints."""
    command = [sys.executable, "-m", "pip", *arguments]
    ended = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return ended.stdout


def run(folder, *command):
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_it_brings_isal_numpy_and_pyyaml_and_nothing_else(python):
    listed = pip("--python", python, "list", "--format=freeze").lower()
    names = {line.partition("==")[0] for line in listed.split()}
    assert names == {"blox", "isal", "numpy", "pyyaml"}


@pytest.mark.slow
def test_it_reads_a_release(python, golden, tmp_path):
    shutil.copytree(golden / "release-e12", tmp_path / "release")
    ended = run(tmp_path, python, "-c", READ)
    assert ended.returncode == 0, ended.stderr
    d = blox.from_folder(tmp_path / "release")
    assert ended.stdout.startswith(f"24 {[d.val_acc(index) for index in sorted(d.indices)]} ")
    assert str(ROOT) not in ended.stdout
    assert "site-packages" in ended.stdout


@pytest.mark.slow
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


def check_that_it_holds_our_packages_and_no_sources_of_the_codec(wheel):
    with zipfile.ZipFile(wheel) as opened:
        sizes = {file.filename: file.file_size for file in opened.infolist()}
    assert {name.partition("/")[0] for name in sizes if ".dist-info/" not in name} == {
        "blox",
        "blox_core",
        "blox_store",
        "blox_worker",
    }
    assert sizes["blox_core/space/hashes.bin"] == 91_125 * 16
    assert "blox_store/report/page.html" in sizes
    assert not fnmatch.filter(sizes, "blox_store/codec/*.?pp")
    assert fnmatch.filter(sizes, "blox_store/store/migrations/versions/0001*.py")
    return sizes.keys()


def test_the_wheel_holds_what_it_should_but_for_the_codec(tmp_path):
    wheel = built_wheel(tmp_path, f"build-dir={tmp_path}/build", "wheel.cmake=false")
    files = check_that_it_holds_our_packages_and_no_sources_of_the_codec(wheel)
    assert not fnmatch.filter(files, "*.so")


@pytest.mark.slow
def test_the_wheel_holds_what_it_should(python):
    (wheel,) = python.parents[2].glob("blox-*.whl")
    files = check_that_it_holds_our_packages_and_no_sources_of_the_codec(wheel)
    assert len(fnmatch.filter(files, "*.so")) == 1
