"""The image, built once, and a head in it."""

import os
import re
import shutil
import time

import pytest

from tests.containers.stack import (
    COMMIT,
    CPU,
    HEAD,
    IMAGE,
    PROJECTS,
    SMALL_RUN,
    Stack,
    copied_checkout,
)

NEEDED_GB = int(os.environ.get("BLOX_TEST_FREE_GB", "25"))
KEEPS_CACHE = "BLOX_TEST_KEEP_CACHE" in os.environ  # who runs these tests again and again
GB = 1e9
FIGURES = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("measured")
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig):
    """Lines to show when the tests have ended."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """The checkout on an engine with room for the image; what was built is dropped at the end."""
    stack = Stack(copied_checkout(tmp_path_factory.mktemp("checkout")), HEAD)
    drop_what_killed_tests_left(stack)
    root = stack.succeed("docker info --format {{.DockerRootDir}}").strip()
    free = shutil.disk_usage(root).free / GB
    if free < NEEDED_GB:
        pytest.exit(
            f"{free:.0f} GB are free in {root}; the image and its build need {NEEDED_GB}", 1
        )
    yield stack
    if not KEEPS_CACHE:
        stack.run(f"docker image rm {IMAGE}")
        stack.run("docker builder prune --all --force")


def drop_what_killed_tests_left(stack):
    """Remove containers, volumes, which have another password, and replaced images of 7 GB each."""
    kinds = {
        "docker ps --all": "docker rm --force",
        "docker volume ls": "docker volume rm",
        "docker network ls": "docker network rm",
    }
    for listed, remove in kinds.items():
        for project in PROJECTS:
            ours = f"--quiet --filter label=com.docker.compose.project={project}"
            for found in stack.succeed(f"{listed} {ours}").split():
                stack.succeed(f"{remove} {found}")
    stack.run(
        f"docker image prune --force --filter label=org.opencontainers.image.revision={COMMIT}"
    )


@pytest.fixture(scope="session")
def image(engine, figures):
    """The image of all our services, built from the very files, as the engine describes it."""
    engine.succeed("make env")
    began = time.monotonic()
    engine.succeed(f"make image BLOX_COMMIT={COMMIT}")
    took = time.monotonic() - began
    size = int(engine.succeed(f"docker image inspect {IMAGE} --format {{{{.Size}}}}"))
    figures.append(f"image: built on cached layers in {took:.0f} s, {size / GB:.2f} GB")
    return IMAGE


@pytest.fixture(scope="session")
def bridge(engine):
    """An address of this machine that containers of every network reach: the head's."""
    printed = engine.succeed("docker network inspect bridge")
    (found,) = re.findall(r'"Gateway": "([\d.]+)"', printed)
    return found


@pytest.fixture(scope="session")
def head(image, bridge, tmp_path_factory):
    """A head that trains a small run on the CPU, up and well."""
    stack = Stack(copied_checkout(tmp_path_factory.mktemp("head")))
    stack.succeed(f"make env HEAD={bridge}")
    stack.set(COMPOSE_FILE=":".join([*HEAD, *CPU]), **SMALL_RUN)
    stack.up = "docker compose up --detach --wait"
    stack.began = int(time.time())
    try:
        ended = stack.run(stack.up)
        logs = "" if ended.code == 0 else stack.run("docker compose logs").out
        assert ended.code == 0, ended.out + ended.err + logs
        yield stack
    finally:
        stack.run("docker compose --profile * down --volumes --timeout 30")
