"""The image: what is in it, who runs in it, and what it asks of the engine."""

import json
import re
from pathlib import Path

import pytest

from tests.containers.stack import COMMIT, PROJECT, ROOT, Stack, wait_until

RUN = "docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --network none"


@pytest.fixture(scope="module")
def config(engine, image):
    (found,) = json.loads(engine.succeed(f"docker image inspect {image}"))
    return found["Config"]


def test_it_runs_as_an_unprivileged_user(engine, image, config):
    assert config["User"] == "1000:1000"
    assert engine.succeed(f"{RUN} {image} id -u").strip() == "1000"


def test_its_labels_and_its_health_check(config):
    assert config["Labels"]["org.opencontainers.image.revision"] == COMMIT
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Healthcheck"]["Test"] == ["CMD", "blox", "health", "store"]


def test_its_commands_run_on_a_read_only_root_file_system(engine, image):
    assert "Make a Blox benchmark" in engine.succeed(f"{RUN} {image}")
    assert "--allow-partial" in engine.succeed(f"{RUN} {image} python -m blox_store.export --help")
    ended = engine.run(f"{RUN} {image} touch /opt/blox/written")
    assert (ended.code, "Read-only file system" in ended.err) == (1, True)


def test_results_will_say_which_commit_it_was_built_from(engine, image):
    code = "from blox_core.training.provenance import environment_of as e; import torch; "
    code += "print(e(torch.device('cpu')).codebase_commit)"
    assert engine.succeed(f'{RUN} {image} python -c "{code}"') == f"{COMMIT}\n"


def test_it_holds_the_torch_of_the_constraints_built_for_cuda(engine, image):
    code = (
        "import torch as t, torchvision as v; print(t.__version__, t.version.cuda, v.__version__)"
    )
    torch, cuda, torchvision = engine.succeed(f'{RUN} {image} python -c "{code}"').split()
    pinned = dict(
        re.findall(r"^(\w+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    assert torch.partition("+")[0] == pinned["torch"]
    assert torchvision.partition("+")[0] == pinned["torchvision"]
    assert cuda != "None"


def test_it_holds_no_compiler_no_sources_and_no_secrets(engine, image):
    look = "ls -A /build /usr/bin/*g++* /usr/bin/c++ /.env /build/.git"
    found = engine.run(f"{RUN} {image} sh -c '{look}'")
    assert found.out.split() == ["/build:", "constraints.txt", "requirements.txt"]


def test_it_holds_what_reports_and_measurements_need(engine, image):
    code = "import blox_store.report.page, onnx, onnxruntime, pyarrow; print(onnxruntime.__name__)"
    assert engine.succeed(f'{RUN} {image} python -c "{code}"') == "onnxruntime\n"


def test_a_folder_for_data_belongs_to_the_user(engine, image):
    owners = engine.succeed(f"{RUN} {image} stat -c %U /data /checkpoints /locks /state /release")
    assert owners.split() == ["blox"] * 5


def test_the_engine_is_asked_for_all_gpus_by_the_unmodified_file(engine, image, tmp_path):
    """Without a GPU the worker then says so and ends; the sandbox's engine notes what was asked."""
    stack = Stack(engine.folder, ["docker-compose.yml"], project=f"{PROJECT}-gpus")
    try:
        stack.succeed("docker compose up --detach --no-deps worker")
        host = stack.inspected("worker")["HostConfig"]
        (asked,) = host["DeviceRequests"]
        assert (asked["Driver"], asked["Count"], asked["Capabilities"]) == ("nvidia", -1, [["gpu"]])
        wait_until(lambda: "no GPU found; use --gpus cpu" in stack.log("worker"), "its word for it")
        if "ENGINE_DIR" in stack.environment:
            noted = Path(stack.environment["ENGINE_DIR"], "gpu-requests.jsonl").read_text()
            first = json.loads(noted.splitlines()[0])
            assert "blox worker --stay --gpus all --jobs-per-gpu 1" in " ".join(first["args"])
            assert "NVIDIA_VISIBLE_DEVICES=all" in first["env"]
            assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in first["env"]
    finally:
        stack.run("docker compose down --volumes --timeout 5")
