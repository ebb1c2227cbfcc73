"""`make env` and `make node`: a file of settings with passwords that nobody else has."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def made_by(
    script: str, folder: Path, *, umask: int = -1, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "containers").mkdir(exist_ok=True)
    shutil.copy(ROOT / ".env.example", folder)
    shutil.copy(ROOT / "containers" / script, folder / "containers")
    return subprocess.run(
        ["bash", folder / "containers" / script],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
    )


def make_env(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    ended = made_by("make-env", folder, **variables)
    assert ended.returncode == 0, ended.stderr
    return ended


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_passwords_are_made_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        assert "wrote .env" in make_env(folder, HEAD="10.0.0.1").stdout
        assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    first, second = settings(one), settings(two)
    assert first["BLOX_HEAD_ADDRESS"] == "10.0.0.1"
    passwords = [name for name in first if name.endswith("_PASSWORD")]
    assert len(passwords) == 4
    made = {values[name] for values in (first, second) for name in passwords}
    assert len(made) == 8
    assert all(len(password) == 48 and password.isalnum() for password in made)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BLOX_SEED=7\n")
    assert ".env is there and stays" in make_env(tmp_path).stdout
    assert (tmp_path / ".env").read_text() == "BLOX_SEED=7\n"


def test_the_example_has_no_secret() -> None:
    example = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in example if "PASSWORD=" in line and not line.endswith("=")] == []


def test_servers_can_read_what_is_mounted_also_after_a_strict_umask(tmp_path: Path) -> None:
    mounted = [tmp_path / "containers/redis.conf", tmp_path / "monitoring/grafana/dashboard"]
    for file in mounted:
        file.parent.mkdir(parents=True, mode=0o700)
        file.touch(0o600)
    made_by("make-env", tmp_path, umask=0o077)
    for file in mounted:
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert stat.S_IMODE(file.parent.stat().st_mode) & 0o055 == 0o055
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_node_has_its_own_services_and_what_it_needs_of_the_heads_settings(
    tmp_path: Path,
) -> None:
    make_env(tmp_path, HEAD="10.0.0.1")
    of_head = settings(tmp_path)
    with (tmp_path / ".env").open("a") as file:
        file.write("BLOX_NODE=head\nCOMPOSE_PROFILES=monitoring\n")
    (tmp_path / ".env").chmod(0o644)
    ended = made_by("make-node", tmp_path)
    assert (ended.returncode, "now that of a further node" in ended.stdout) == (0, True)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    unused = dict.fromkeys(("BLOX_FLOWER_PASSWORD", "BLOX_GRAFANA_PASSWORD"), "of-the-head")
    of_node = of_head | unused | {"COMPOSE_FILE": "docker-compose.node.yml"}
    assert settings(tmp_path) == of_node
    with (tmp_path / ".env").open("a") as file:
        file.write("BLOX_NODE=other\n")
    before = (tmp_path / ".env").read_bytes()
    assert "a node's and stays" in made_by("make-node", tmp_path).stdout
    assert (tmp_path / ".env").read_bytes() == before


def test_the_last_setting_may_end_without_a_new_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BLOX_HEAD_ADDRESS=10.0.0.1\nBLOX_GPUS=0,1")
    assert made_by("make-node", tmp_path).returncode == 0
    assert settings(tmp_path) == {
        "COMPOSE_FILE": "docker-compose.node.yml",
        "BLOX_HEAD_ADDRESS": "10.0.0.1",
        "BLOX_GPUS": "0,1",
    }


def test_a_head_is_not_made_a_node(tmp_path: Path) -> None:
    make_env(tmp_path, HEAD="10.0.0.1")
    before = (tmp_path / ".env").read_bytes()
    docker = tmp_path / "bin" / "docker"  # it has the volume that it is asked for
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n[ \"$*\" = 'volume inspect blox_postgres' ]\n")
    docker.chmod(0o755)
    ended = made_by("make-node", tmp_path, PATH=f"{docker.parent}:{os.environ['PATH']}")
    assert ended.returncode == 1
    assert "this machine is a head: its volume blox_postgres holds a store" in ended.stderr
    assert (tmp_path / ".env").read_bytes() == before


def test_a_node_of_servers_of_their_own_need_not_find_the_head(tmp_path: Path) -> None:
    make_env(tmp_path)
    assert made_by("make-node", tmp_path).returncode == 1
    with (tmp_path / ".env").open("a") as file:
        file.write("BLOX_BROKER_URL=rediss://r\nBLOX_DATABASE_URL=postgresql://p/blox\n")
    assert made_by("make-node", tmp_path).returncode == 0


def test_a_node_of_a_head_without_gpus_has_none_either(tmp_path: Path) -> None:
    make_env(tmp_path, HEAD="10.0.0.1")
    with (tmp_path / ".env").open("a") as file:
        file.write("COMPOSE_FILE=docker-compose.yml:docker-compose.cpu.yml\n")
    made_by("make-node", tmp_path)
    files = settings(tmp_path)["COMPOSE_FILE"]
    assert files == "docker-compose.node.yml:docker-compose.cpu.yml"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (None, "there is no .env; copy the head's into this checkout"),
        ("", "BLOX_HEAD_ADDRESS= in .env, where no other machine finds the head; give its"),
        ("127.0.0.1", "BLOX_HEAD_ADDRESS=127.0.0.1 in .env, where no other machine finds"),
        ('"127.0.0.1"', "BLOX_HEAD_ADDRESS=127.0.0.1 in .env, where no other machine finds"),
        ("0.0.0.0", "BLOX_HEAD_ADDRESS=0.0.0.0 in .env, where no other machine finds"),
    ],
)
def test_what_cannot_be_a_node_is_told_in_one_line(
    tmp_path: Path, env: str | None, told: str
) -> None:
    if env is not None:
        (tmp_path / ".env").write_text(f"BLOX_HEAD_ADDRESS={env}\n")
    ended = made_by("make-node", tmp_path)
    assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (1, 1, "")
    assert told in ended.stderr
    assert (tmp_path / ".env").exists() == (env is not None)
