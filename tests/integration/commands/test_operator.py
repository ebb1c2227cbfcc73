"""What operators may and may not type, run in this process."""

import json

import pytest

from blox_store.store import JobState, Store
from tests.support.results import claimed, made_up_run
from tests.support.store_jobs import make_foreign

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def store(own_store_url):
    """A store with a run in which jobs 0 to 2 have failed, 3 is running, 4 to 9 are pending."""
    with Store(own_store_url) as opened:
        run = made_up_run(opened, indices=range(10))
        for index in range(3):
            lease = claimed(opened, run, index)
            opened.jobs.fail(lease, "Trace\nBoom", kind="Boom", max_attempts=1, backoff_s=0)
        claimed(opened, run, 3)
        yield opened


@pytest.mark.parametrize("recipe", [{"epochs": 5, "warm_up": 1}, {"warm_up": 1}])
def test_a_run_of_another_version_of_blox_is_shown_as_ever(store, typed, recipe):
    before = json.loads(typed("blox status --json")[1])["runs"]
    make_foreign(store, store.runs.find(), recipe)
    (shown,) = json.loads(typed("blox status --json")[1])["runs"]
    same = ("name", "recipe_fingerprint", "total", "jobs", "failures", "failed")
    assert [{name: run[name] for name in same} for run in before] == [
        {name: shown[name] for name in same}
    ]
    assert shown["epochs"] == recipe.get("epochs", 1)
    for line in ("status", "jobs", "pause", "resume", "retry --all"):
        assert typed(f"blox {line}")[0] == 0


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("blox retry 1-9", 1, "7 jobs have not failed: 3, 4, 5, 6, 7, ...; nothing was changed"),
        ("blox retry 3", 1, "1 job has not failed: 3; nothing was changed, see 'blox jobs --run 1"),
        ("blox retry 99", 1, "1 job has not failed: 99;"),
        ("blox retry", 2, "either INDICES such as 0-9,77 or --all is allowed"),
        ("blox retry 0 --all", 2, "either INDICES such as 0-9,77 or --all is allowed"),
        ("blox retry a-b", 2, "must be arch indices such as"),
        ("blox retry --all --priority 10", 2, "10 is not in the range 0<=x<=9"),
        ("blox retry --all --run 2", 1, "no run with id 2; the store has run 1"),
        ("blox status --run 2", 1, "no run with id 2; the store has run 1: digits"),
        ("blox status --every 3", 2, "--every is for --watch"),
        ("blox status --watch --every 0", 2, "0.0 is not in the range"),
        ("blox jobs --state nonsense", 2, "'nonsense' is not one of 'pending', 'queued'"),
        ("blox jobs --run 2", 1, "no run with id 2"),
        ("blox pause --run 2", 1, "no run with id 2"),
        ("blox resume --run 2", 1, "no run with id 2"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(store, typed, line, code, message):
    before = store.jobs.counts(1)
    ended, out, err = typed(line)
    assert (ended, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert store.jobs.counts(1) == before


def test_all_failed_jobs_are_retried(store, typed):
    assert "3 failed jobs to be tried again" in typed("blox retry --all --run 1")[1]
    assert store.jobs.counts(1)[JobState.PENDING] == 9
    assert typed("blox retry --all")[1].endswith("0 failed jobs to be tried again\n")


def test_who_retries_is_told_whether_a_scheduler_is_to_be_started(store, typed):
    told = typed("blox retry 0")[1]
    assert "\nno scheduler is active; train it by 'blox train --local --run 1', or on a" in told
    assert "cluster by 'blox scheduler --run 1' and 'blox worker'\n" in told
    assert store.schedulers.hold(1, holder="head:7", token="t", lease_s=600)
    assert typed("blox retry 1")[1].endswith("\nscheduler head:7 looks after it\n")


def test_jobs_are_chosen_by_state(typed):
    _, out, _ = typed("blox jobs --run 1 --state failed --state running")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [f"a{i:05d}" for i in range(4)]
    assert "Trace" not in out
    assert "    Trace\n    Boom\n" in typed("blox jobs --traceback")[1]
    assert (
        ": no job is succeeded or diverged\n"
        in typed("blox jobs --state succeeded --state diverged")[1]
    )


def test_jobs_as_json_have_no_history_unless_it_is_asked_for(typed):
    listed = json.loads(typed("blox jobs --json")[1])
    assert (listed["run"], len(listed["jobs"])) == (1, 10)
    assert listed["jobs"][0]["error"] == "Trace\nBoom"
    assert listed["jobs"][0]["history"] is None
    asked = json.loads(typed("blox jobs --json --traceback")[1])
    assert [past["kind"] for past in asked["jobs"][0]["history"]] == ["Boom"]
    assert asked["jobs"][9]["history"] == []


def test_a_paused_run_says_what_goes_on(store, typed):
    claimed(store, store.runs.find(), 4)
    assert (
        "2 running jobs go on to the end; let it go on by 'blox resume'" in typed("blox pause")[1]
    )
    assert "5 jobs may start" in typed("blox resume")[1]


def test_status_as_json_of_an_empty_store(typed, sqlite_store_url):
    known = json.loads(typed(f"blox status --json --database {sqlite_store_url}")[1])
    assert (known["runs"], known["workers"], known["store"]) == ([], [], sqlite_store_url)
    assert len(known["store_id"]) == 32
