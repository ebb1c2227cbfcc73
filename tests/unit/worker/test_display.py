import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from blox_core.latency import LATENCY, preset
from blox_core.result.metrics import Curves, Score
from blox_store.store import Job, JobState, Run
from blox_worker.job.outcome import (
    Ending,
    JobOutcome,
    describe,
    epoch_in_short,
    result_in_short,
)
from blox_worker.worker.display import Display
from tests.support.latencies import measured
from tests.support.results import made_up_result
from tests.support.tiny import TINY


def job(index, state=JobState.PENDING, epoch=0):
    return Job(
        run_id=1,
        arch_index=index,
        state=state,
        priority=0,
        attempts=0,
        epoch=epoch,
        worker=None,
        lease_left_s=None,
        error=None,
        avoid=None,
        seen_ago_s=None,
        due_in_s=None,
    )


RUN = Run(
    id=1,
    dataset="digits",
    recipe=TINY,
    recipe_fingerprint=TINY.fingerprint,
    seed=0,
    trainer="torch",
    trainer_revision=1,
    paused=False,
)
PROTOCOL = preset("torch-cpu")
MEASURING = replace(RUN, dataset="cpu", recipe=PROTOCOL, trainer=LATENCY, trainer_revision=1)


def report(epoch, top1):
    metrics = SimpleNamespace(val=Score(top1=top1, top5=20, loss=1.0))
    return SimpleNamespace(epoch=epoch, epochs=TINY.epochs, metrics=metrics)


@pytest.fixture
def shown():
    """A display of two jobs, one ended, on a terminal 120 columns wide, and what it shows."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120, highlight=False)
    jobs = [job(3, JobState.SUCCEEDED, TINY.epochs), job(7)]
    return Display(jobs, RUN, console=console), output.getvalue


def test_the_bar_shows_job_epoch_accuracy_and_eta(shown):
    display, text = shown
    with display:
        display.epoch_ended(SimpleNamespace(arch_index=7), report(2, top1=5))
        display._progress.refresh()
    assert "1 of 2 jobs had ended before" in text()
    assert "1/2 jobs" in text()
    assert "5/6" in text()
    assert "epochs, ETA" in text()
    assert "a00007 epoch 2/3, val 25.0 %" in text()


def test_every_ended_job_is_a_line(shown):
    display, text = shown
    result = made_up_result(3)
    with display:
        display.job_ended(
            JobOutcome(run_id=1, arch_index=7, ending=Ending.COMPLETED, result=result)
        )
        display.job_ended(
            JobOutcome(run_id=1, arch_index=9, ending=Ending.RETRIED, error="Boom: no [/x]")
        )
        display._progress.refresh()
    assert "a00007 val 30.0 % (epoch 3), test 300.0 %, 12 s" in text()
    assert "a00009 to be tried again: Boom: no [/x]" in text()
    assert "2/2 jobs" in text()


def test_waiting_says_for_what(shown):
    display, text = shown
    with display:
        display.waiting(running=1, pending=2)
        display._progress.refresh()
    assert "waiting: 1 jobs held by other workers, 2 to be tried again" in text()


def test_without_a_terminal_only_lines_are_printed():
    output = io.StringIO()
    with Display([job(7)], RUN, console=Console(file=output, width=120)) as display:
        display.epoch_ended(SimpleNamespace(arch_index=7), report(1, top1=5))
        display.job_ended(JobOutcome(run_id=1, arch_index=7, ending=Ending.STOPPED))
    assert output.getvalue() == "a00007 stopped\n"


def test_measurements_are_counted_and_told():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120, highlight=False)
    with Display([job(7), job(8)], MEASURING, console=console) as display:
        outcome = JobOutcome(run_id=1, arch_index=7, ending=Ending.COMPLETED, result=measured(3.5))
        display.job_ended(outcome)
        display._progress.refresh()
    assert "a00007 3.500 ms, half of 50 runs within 0.250 ms, unstable" in output.getvalue()
    assert "1/2" in output.getvalue()
    assert "measured, ETA" in output.getvalue()


def test_a_diverged_result_is_called_so():
    assert describe(made_up_result(2, status="diverged"), TINY) == "diverged after 2 of 3 epochs"
    assert len(Curves.of([])) == 0
    assert describe(made_up_result(0, test=None), TINY) == "diverged after 0 of 3 epochs"


def test_a_column_has_room_for_a_few_words():
    result = made_up_result(3)
    best = result.curves.val_top1[result.best_epoch - 1]
    val, test = 100 * best / TINY.val_images, 100 * result.test.top1 / TINY.test_images
    assert result_in_short(result, TINY) == f"val {val:.1f} test {test:.1f} in 12 s"
    assert epoch_in_short(report(2, top1=5), TINY) == "epoch 2/3 val 25.0"
    diverged = made_up_result(2, status="diverged", test=None)
    assert result_in_short(diverged, TINY) == "diverged after 2 of 3 epochs"
