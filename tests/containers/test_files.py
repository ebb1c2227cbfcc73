"""The compose files, the Dockerfile and .env, as far as they can be judged without the image."""

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.containers.stack import CPU, HEAD, IMAGE, NODE, PROJECT, ROOT, Stack, copied_checkout

SERVICES = {"redis", "postgres", "migrate", "init", "data", "scheduler", "worker", "flower"}
COMBINATIONS = [
    (files, profiles)
    for files, profiles in product(
        (HEAD, (*HEAD, *CPU), NODE, (*NODE, *CPU)),
        ("", "--profile release", "--profile monitoring", "--profile commands", "--profile *"),
    )
]
OURS = ("migrate", "init", "data", "scheduler", "worker", "flower", "export", "blox")
SECRET_NAMES = ("REDIS", "POSTGRES", "FLOWER", "GRAFANA")


@pytest.fixture
def stack(tmp_path):
    """A fresh clone."""
    return Stack(copied_checkout(tmp_path), HEAD)


@pytest.fixture
def with_env(stack):
    """A clone in which `make env` has run."""
    stack.succeed("make env HEAD=192.0.2.1")
    return stack


def of(stack, files):
    return Stack(stack.folder, files)


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).parent / "hadolint"
    command = [hadolint, ROOT / "Dockerfile.gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.parametrize(("files", "profiles"), COMBINATIONS)
def test_every_combination_of_files_and_profiles_is_valid(with_env, files, profiles):
    ended = of(with_env, files).run(f"docker compose {profiles} config --quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_the_services_of_each_profile(with_env):
    assert set(with_env.config("none")["services"]) == SERVICES
    assert set(with_env.config("release")["services"]) == SERVICES | {"export"}
    assert set(with_env.config("monitoring")["services"]) == SERVICES | {"prometheus", "grafana"}


def test_a_further_node_can_start_data_and_worker_alone(with_env):
    node = of(with_env, NODE).config()
    assert set(node["services"]) == {"data", "worker"}
    worker = node["services"]["worker"]
    assert set(worker["depends_on"]) == {"data"}
    assert "@192.0.2.1:6379/0" in worker["environment"]["BLOX_BROKER_URL"]
    assert "@192.0.2.1:5432/blox" in worker["environment"]["BLOX_DATABASE_URL"]


def test_a_node_has_these_services_alone_by_its_settings(with_env):
    with_env.succeed("make node")
    node = Stack(with_env.folder)
    assert set(node.config()["services"]) == {"data", "worker"}
    assert node.succeed("docker compose config --quiet") == ""


def test_a_lab_has_another_image_and_project_than_these_tests(with_env):
    of_tests = with_env.config()
    for name in ("BLOX_IMAGE", "COMPOSE_PROJECT_NAME"):
        del with_env.environment[name]
    of_a_lab = with_env.config()
    for config, project, image in ((of_tests, PROJECT, IMAGE), (of_a_lab, "blox", "blox")):
        assert config["name"] == project
        assert {config["services"][name]["image"] for name in OURS} == {image}


@pytest.mark.parametrize("files", [HEAD, NODE])
def test_all_gpus_are_reserved_unless_the_cpu_file_says_otherwise(with_env, files):
    limits = of(with_env, files).config()["services"]["worker"]["deploy"]["resources"]
    (device,) = limits["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", -1, ["gpu"])
    on_cpu = of(with_env, [*files, *CPU]).config()["services"]["worker"]
    assert "devices" not in on_cpu["deploy"]["resources"].get("reservations", {})
    assert on_cpu["deploy"]["resources"]["limits"] == limits["limits"]
    assert on_cpu["command"][-4:] == ["--gpus", "cpu", "--jobs-per-gpu", "1"]


def test_every_service_is_hardened_and_limited(with_env):
    for name, service in with_env.config()["services"].items():
        assert service["read_only"], name
        assert service["init"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "cap_add" not in service, name
        assert not service.get("privileged"), name
        assert service["logging"]["options"]["max-size"], name
        assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        is_one_shot = service["restart"] == "no"
        assert is_one_shot or service["restart"] == "unless-stopped", name
        assert service["healthcheck"].get("disable", False) == is_one_shot, name


def test_ports_are_published_on_the_heads_address_or_on_this_machine_alone(with_env):
    published = {
        (name, port["host_ip"])
        for name, service in with_env.config()["services"].items()
        for port in service.get("ports", ())
    }
    assert published == {
        ("redis", "192.0.2.1"),
        ("postgres", "192.0.2.1"),
        ("flower", "127.0.0.1"),
        ("prometheus", "127.0.0.1"),
        ("grafana", "127.0.0.1"),
    }


def test_no_secret_stands_where_processes_or_health_checks_are_listed(with_env):
    secrets = with_env.secrets()
    assert len(secrets) == len(SECRET_NAMES)
    for name, service in with_env.config()["services"].items():
        shown = [service.get(key) for key in ("command", "entrypoint", "healthcheck", "labels")]
        assert not [secret for secret in secrets if secret in str(shown)], name


def test_a_node_gets_no_secret_that_it_has_no_use_for(with_env):
    flower, grafana = (with_env.setting(f"BLOX_{x}_PASSWORD") for x in ("FLOWER", "GRAFANA"))
    shown = str(of(with_env, NODE).config())
    assert flower not in shown
    assert grafana not in shown


def test_the_gpus_of_a_node_can_be_chosen(with_env):
    def workers_gpus():
        command = with_env.config()["services"]["worker"]["command"]
        return command[command.index("--gpus") + 1]

    assert workers_gpus() == "all"
    with_env.set(BLOX_GPUS="0,1")
    assert workers_gpus() == "0,1"


@pytest.mark.parametrize("files", [HEAD, NODE])
def test_without_env_one_line_says_what_to_do(stack, files):
    ended = of(stack, files).run("docker compose up --detach")
    assert ended.code != 0
    assert "is not set; " in ended.err
    assert "make env" in ended.err or "copy .env from the head" in ended.err
    assert ended.err.count("\n") <= 1


@pytest.mark.parametrize("name", [f"BLOX_{name}_PASSWORD" for name in SECRET_NAMES])
def test_a_secret_that_is_missing_in_env_is_named(with_env, name):
    with_env.set(**{name: ""})
    ended = with_env.run("docker compose config --quiet")
    assert ended.code != 0
    assert f"required variable {name} is missing a value: is not set; run 'make env'" in ended.err


def test_the_example_alone_is_not_enough(stack):
    (stack.folder / ".env").write_bytes((stack.folder / ".env.example").read_bytes())
    assert stack.secrets() == []
    assert "is missing a value" in stack.run("docker compose config --quiet").err


def test_the_folder_of_releases_belongs_to_whom_the_exporter_runs_as(with_env):
    owner = (with_env.folder / "release").stat().st_uid
    assert with_env.setting("BLOX_UID") == str(owner) != "0"


def test_every_variable_of_the_compose_files_is_in_the_example(stack):
    used = {
        name
        for file in (*HEAD, *NODE, *CPU)
        for name in re.findall(r"\$\{(BLOX_\w+)", (stack.folder / file).read_text())
    }
    example = (stack.folder / ".env.example").read_text()
    described = set(re.findall(r"^#?(BLOX_\w+)=", example, re.MULTILINE))
    assert used - described == {"BLOX_COMMIT", "BLOX_IMAGE", "BLOX_TRAINER"}
