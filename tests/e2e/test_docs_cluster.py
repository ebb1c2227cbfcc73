"""The cluster commands of the README, against servers on this machine."""

import re
import signal
from pathlib import Path

import pytest

from blox_store.store import JobState, Store
from tests.support.servers import wait_until

README = Path(__file__).parents[2] / "README.md"
LONG_RUNNING = ("blox scheduler", "blox worker", "blox status --watch")


def cluster_lines():
    (block,) = re.findall(r"^```bash\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    return block.splitlines()


@pytest.mark.slow
def test_the_cluster_commands_train_a_run(commands, postgres_url, redis_url):
    exported = [line for line in cluster_lines() if line.startswith("export ")]
    assert [line.split("=")[0] for line in exported] == [
        "export BLOX_DATABASE_URL",
        "export BLOX_BROKER_URL",
    ]
    here = {
        "BLOX_DATABASE_URL": postgres_url,
        "BLOX_BROKER_URL": redis_url,
        "BLOX_TRAINER": "simulated",
        "BLOX_SIMULATED_EPOCH_S": "0",
        "BLOX_GPU_INVENTORY": "0",
    }
    started = {}
    for line in cluster_lines()[len(exported) :]:
        if line.startswith("blox init"):
            commands.succeed(f"{line} --indices 0-3", **here)
        else:
            assert line.startswith(LONG_RUNNING), line
            started[line] = commands.start(line, **here)
    scheduler, worker, status = started.values()
    out, err = scheduler.communicate(timeout=200)
    assert (scheduler.returncode, "4 succeeded" in out) == (0, True), out + err
    for process, number in ((worker, signal.SIGTERM), (status, signal.SIGINT)):
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    with Store(postgres_url) as store:
        wait_until(lambda: store.workers.all() == [], "the worker to sign off")
        assert store.jobs.counts(1)[JobState.SUCCEEDED] == 4
