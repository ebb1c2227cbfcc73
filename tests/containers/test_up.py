"""A head and a further node train a run, lose workers, and give a release; the tests go in this order."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime

import pytest

import blox
from tests.containers.stack import IMAGE, INDICES, PROJECT, Stack, copied_checkout, wait_until
from tests.support.certificates import made_certificate

LONG_RUNNING = ["redis", "postgres", "scheduler", "worker", "flower"]
JOBS = len(INDICES)


@pytest.fixture(scope="module")
def node(head, tmp_path_factory):
    """A further node: a worker on a network of its own, with nothing but the head's .env."""
    stack = Stack(copied_checkout(tmp_path_factory.mktemp("node")), project=f"{PROJECT}-node")
    stack.up = "docker compose up --detach"
    shutil.copy2(head.folder / ".env", stack.folder / ".env")
    stack.succeed("make node")
    try:
        stack.succeed(stack.up)
        yield stack
    finally:
        stack.run("docker compose down --volumes --timeout 30")


def seconds(text):
    return datetime.fromisoformat(text).timestamp()


def test_all_services_are_up_and_well_and_what_they_need(head, figures):
    events = head.succeed(
        f"docker events --since {head.began} --until {int(time.time()) + 1} "
        "--filter event=health_status --format '{{json .}}'"
    )
    well = {}
    for event in map(json.loads, events.splitlines()):
        if event["status"].endswith(" healthy"):
            well.setdefault(event["Actor"]["Attributes"]["com.docker.compose.service"], event)
    for service in LONG_RUNNING:
        known = head.inspected(service)
        assert known["State"]["Health"]["Status"] == "healthy", service
        took = well[service]["timeNano"] / 1e9 - seconds(known["State"]["StartedAt"])
        used = head.succeed(f"docker stats --no-stream --format {{{{.MemUsage}}}} {known['Id']}")
        figures.append(f"{service}: well after {took:.0f} s, {used.partition(' /')[0]} of memory")
    for service in ("migrate", "init", "data"):
        assert head.inspected(service)["State"]["ExitCode"] == 0


def test_nothing_runs_as_root_or_writes_to_its_root(head):
    for service in LONG_RUNNING:
        known = head.inspected(service)
        assert known["HostConfig"]["ReadonlyRootfs"], service
        assert known["HostConfig"]["CapDrop"] == ["ALL"], service
        users = head.succeed(f"docker top {known['Id']} -eo uid,pid,args").splitlines()[1:]
        assert not [line for line in users if line.split()[0] == "0"], users


def test_redis_keeps_the_queue_and_postgres_has_room_for_the_workers(head):
    asked = "docker compose exec -T redis redis-cli --no-auth-warning config get"
    assert head.succeed(f"{asked} appendonly").split() == ["appendonly", "yes"]
    assert head.succeed(f"{asked} maxmemory-policy").split()[1] == "noeviction"
    assert head.query("SHOW max_connections") == [["1100"]]


def test_a_further_node_has_no_queue_store_or_scheduler_of_its_own(head, node):
    assert node.services() == ["data", "worker"]
    hosts = [head.hostname("worker"), node.hostname("worker")]
    assert len(set(hosts)) == 2
    networks = [
        set(stack.inspected("worker")["NetworkSettings"]["Networks"]) for stack in (head, node)
    ]
    assert networks == [{f"{PROJECT}_default"}, {f"{PROJECT}-node_default"}]


def test_the_heads_ports_want_passwords(head, node, bridge):
    on = f"docker run --rm --network {node.project}_default"
    refused = head.run(f"{on} redis:7-bookworm redis-cli -h {bridge} ping")
    assert "NOAUTH" in refused.out + refused.err
    login = f"postgresql://blox:wrong@{bridge}/blox"
    refused = head.run(f"{on} postgres:15-bookworm psql {login} -c 'SELECT 1'")
    assert (refused.code, "password authentication failed" in refused.err) == (2, True)


def test_no_secret_is_listed_or_logged(head, node):
    secrets = head.secrets()
    shown = head.succeed("docker compose run --rm blox status")
    for stack in (head, node):
        for service in stack.services():
            known = stack.inspected(service)
            shown += json.dumps([known["Path"], known["Args"], known["Config"]["Labels"]])
            for key in ("Cmd", "Entrypoint", "Healthcheck"):
                shown += json.dumps(known["Config"][key])
            shown += json.dumps(known["State"].get("Health"))
            shown += stack.log(service)
            if known["State"]["Running"]:
                shown += stack.succeed(f"docker top {known['Id']} -eo pid,args")
    assert "redis-server" in shown
    assert "blox worker --stay" in shown
    for secret in secrets:
        assert secret not in shown


def test_one_worker_is_killed_and_one_stops_gently_and_the_run_is_finished(head, node):
    head.set(BLOX_INDICES=",".join(map(str, INDICES)))
    assert "3 jobs added, 1 was there" in head.succeed("docker compose run --rm init")
    head.wait_for_epoch(node.hostname("worker"))
    node.succeed(f"docker kill --signal KILL {node.container('worker')}")
    head.wait_for_epoch(head.hostname("worker"))
    host = head.hostname("worker")
    head.succeed("docker compose stop worker")
    assert head.inspected("worker")["State"]["ExitCode"] == 0
    said = head.log("worker")
    assert "stopping as asked" in said
    (back,) = re.findall(r"run 1 (a\d{5}) attempt 1 on \S+: given back", said)
    assert host not in {worker["host"] for worker in head.status()["workers"]}  # signed off
    head.succeed(head.up)
    node.succeed(node.up)
    assert node.services() == ["data", "worker"]

    def finished():
        states = [state for (state,) in head.query("SELECT state FROM jobs")]
        assert "failed" not in states
        return states.count("succeeded") == JOBS

    wait_until(finished, "all jobs to succeed", 420)
    taken = f"run 1 {back} attempt 1 on \\S+: taken: goes on after epoch [1-9]"
    assert re.search(taken, head.log("worker") + node.log("worker"))
    written = head.query("SELECT count(*), count(DISTINCT arch_index) FROM results")
    assert written == [[str(JOBS), str(JOBS)]]
    assert head.jobs()["succeeded"] == JOBS


def test_an_operator_looks_at_jobs_and_logs(head):
    assert "a18639" in head.succeed("docker compose run --rm blox jobs")
    assert "a18639" not in head.succeed("docker compose run --rm blox jobs --state failed")
    assert "workers cpu@" in head.succeed("docker compose logs worker")
    status = json.loads(head.succeed("docker compose run --rm -T blox status --json"))
    assert status["runs"][0]["jobs"]["succeeded"] == JOBS


def test_flower_shows_the_workers_to_who_knows_the_password(head):
    address = head.succeed("docker compose port flower 5555").strip()
    page = f"http://{address}/workers?json=1"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(page, timeout=30)
    pair = f"blox:{head.setting('BLOX_FLOWER_PASSWORD')}"
    request = urllib.request.Request(page)
    request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")

    def shown():
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [worker["hostname"] for worker in json.load(answer)["data"]]

    host = head.hostname("worker")
    wait_until(lambda: any(name.endswith(f"@{host}") for name in shown()), "the worker in Flower")


def test_the_scheduler_serves_metrics_inside_alone(head):
    code = "import urllib.request as u; print(u.urlopen('http://scheduler:9540/metrics').read().decode())"
    shown = head.succeed(f'docker compose exec -T flower python -c "{code}"')
    assert "blox_jobs" in shown
    assert not head.inspected("scheduler")["HostConfig"]["PortBindings"]


def test_latencies_are_measured_by_a_worker_of_its_own(head):
    head.succeed(
        "docker compose run --rm blox init-latency --device-name h100 --backend torch-cpu "
        "--indices 18639,19314 --set resolution=8"
    )
    head.succeed("docker compose run --rm --detach scheduler blox scheduler --measure h100")
    head.succeed(
        "docker compose run --rm --detach --name measure worker "
        "blox worker --gpus cpu --measure h100"
    )
    of_jobs = "SELECT state FROM jobs JOIN runs ON runs.id = run_id WHERE trainer = 'latency'"
    ended = [["succeeded"]] * 2
    wait_until(lambda: head.query(of_jobs) == ended, "2 measurements", 240)
    assert head.status()["runs"][-1]["jobs"]["succeeded"] == 2
    head.succeed("docker stop measure")
    locks = head.succeed("docker compose exec -T worker ls /locks")
    assert "blox-device-cpu.lock" in locks


def test_a_release_is_cut_by_one_command_and_is_whole(head):
    printed = head.succeed("docker compose run --rm export")
    assert f"{JOBS} architectures" in printed
    release = head.folder / "release"
    assert (release / "manifest.json").stat().st_uid == int(head.setting("BLOX_UID"))
    verify = [sys.executable, "-m", "blox_store.verify", release]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    d = blox.from_folder(release)
    assert sorted(d.indices) == sorted(INDICES)
    assert d.val_acc(18639) > 30
    assert d.latency(18639, "h100")[0][0] > 0


def test_what_was_trained_survives_down_and_up(head):
    head.succeed("docker compose down")
    assert head.services() == []
    head.succeed(head.up)
    assert head.jobs()["succeeded"] == JOBS
    assert len(head.status()["runs"]) == 2  # the one that measures is the other
    wait_until(lambda: "all jobs of run 1" in head.log("scheduler"), "the scheduler to say so")


def test_a_backup_brings_the_store_back(head):
    head.succeed("docker compose exec -T postgres pg_dump -U blox --format=custom blox > blox.dump")
    in_postgres = "docker compose exec -T postgres"
    head.query("DELETE FROM results")
    head.succeed("docker compose stop worker")
    head.succeed("docker compose stop scheduler flower")
    head.succeed(f"{in_postgres} dropdb -U blox --force blox")
    head.succeed(f"{in_postgres} createdb -U blox blox")
    head.succeed(f"{in_postgres} pg_restore -U blox --dbname=blox --exit-on-error < blox.dump")
    head.succeed(head.up)
    assert head.jobs()["succeeded"] == JOBS
    assert head.query("SELECT count(*) FROM results") == [[str(JOBS)]]


def test_an_upgrade_drops_the_image_before_it_alone(head):
    head.succeed("docker image prune --force --filter label=org.opencontainers.image.title=Blox")
    head.succeed(f"docker image inspect {IMAGE}")


def test_the_certificate_of_an_authority_is_found_in_the_containers(head):
    authority = made_certificate(head.folder) / "certificate"
    shown = "docker compose run --rm --entrypoint cat blox /etc/blox/ca.pem"
    assert head.succeed(shown) == ""
    assert head.succeed(shown, BLOX_CA_FILE=str(authority)) == authority.read_text()


def test_a_wrong_setting_is_told_in_one_line(head):
    printed = head.run("docker compose run --rm init", BLOX_RECIPE="imagenet")
    assert printed.code != 0
    assert "'imagenet'" in printed.out + printed.err
    refused = head.run(head.up, BLOX_HEAD_ADDRESS="nowhere")
    assert "nowhere" in refused.err
    assert refused.code != 0
