import os
import threading
from types import SimpleNamespace

import pytest

from blox_core.atomic_file import replacing
from blox_core.checkpoint.checkpoint import load_checkpoint
from blox_core.data import load_data
from blox_core.space import Architecture
from blox_core.training import train, training_identity
from blox_store.store import Lease
from blox_worker.on_disk.checkpoints import JobCheckpoints, jobs_with_checkpoints
from tests.support.tiny import TINY

INDEX = 14_321
STORE = "0123456789abcdef" * 2
STEM = "0123456789abcdef-r1-a14321"
OTHER_JOB = "0123456789abcdef-r1-a14322-t1.checkpoint"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The checkpoints of a training after each of its epochs."""
    found = []
    train(
        Architecture(INDEX),
        TINY,
        0,
        device="cpu",
        data=load_data(TINY, tmp_path_factory.getbasetemp()),
        on_epoch=lambda report: found.append(report.checkpoint()),
    )
    return found


def of_lease(folder, token, *, every_s=0.0, seed=0, run_id=1, store_id=STORE):
    lease = Lease(
        run_id=run_id, arch_index=INDEX, token=token, worker="w", duration_s=60, attempts=0, epoch=0
    )
    identity = training_identity(Architecture(INDEX), TINY, seed, "cpu")
    return JobCheckpoints(folder, store_id, lease, identity, load=load_checkpoint, every_s=every_s)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_made_and_empty(tmp_path):
    checkpoints = of_lease(tmp_path / "a" / "b", "t1")
    assert checkpoints.latest() is None
    assert names(tmp_path / "a" / "b") == []


def test_the_furthest_checkpoint_of_any_lease_is_found(tmp_path, made):
    of_lease(tmp_path, "t1").save(made[1])
    of_lease(tmp_path, "t2").save(made[0])
    assert names(tmp_path) == [f"{STEM}-t1.checkpoint", f"{STEM}-t2.checkpoint"]
    assert of_lease(tmp_path, "t3").latest().epoch == 2


def test_a_checkpoint_replaces_the_last_one_of_its_lease(tmp_path, made):
    checkpoints = of_lease(tmp_path, "t1")
    checkpoints.save(made[0])
    checkpoints.save(made[1])
    assert names(tmp_path) == [f"{STEM}-t1.checkpoint"]
    assert checkpoints.latest().epoch == 2


def test_a_foreign_or_corrupt_checkpoint_is_reported_and_passed_over(tmp_path, made, caplog):
    of_lease(tmp_path, "t1").save(made[0])
    (tmp_path / f"{STEM}-t0.checkpoint").write_bytes(b"x")
    assert of_lease(tmp_path, "t2", seed=1).latest() is None
    assert "seed is 0, not 1" in caplog.text
    assert "no intact checkpoint" in caplog.text


def test_a_corrupt_checkpoint_leaves_the_one_before_it(tmp_path, made, caplog):
    of_lease(tmp_path, "t1").save(made[0])
    (tmp_path / f"{STEM}-t2.checkpoint").write_bytes(b"x")
    assert of_lease(tmp_path, "t3").latest().epoch == 1
    assert f"{STEM}-t2.checkpoint" in caplog.text


def test_others_may_read_a_checkpoint(tmp_path, made):
    umask = os.umask(0o022)
    try:
        of_lease(tmp_path, "t1").save(made[0])
    finally:
        os.umask(umask)
    assert (tmp_path / f"{STEM}-t1.checkpoint").stat().st_mode & 0o777 == 0o644


def test_one_that_cannot_be_read_is_reported_and_passed_over(tmp_path, made, caplog):
    (tmp_path / f"{STEM}-t1.checkpoint").mkdir()
    assert of_lease(tmp_path, "t2").latest() is None
    assert "Is a directory; start without it" in caplog.text


def test_other_runs_and_stores_are_left_alone(tmp_path, made):
    of_lease(tmp_path, "t1").save(made[0])
    of_lease(tmp_path, "t2", run_id=2).drop()
    of_lease(tmp_path, "t3", store_id="f" * 32).drop()
    assert names(tmp_path) == [f"{STEM}-t1.checkpoint"]


def test_only_the_jobs_own_files_are_dropped(tmp_path, made):
    for token in ("t1", "t2"):
        of_lease(tmp_path, token).save(made[0])
    (tmp_path / OTHER_JOB).write_bytes(b"of another job")
    of_lease(tmp_path, "t2").drop()
    assert names(tmp_path) == [OTHER_JOB]


def test_what_a_killed_worker_was_writing_is_dropped_with_the_rest(tmp_path):
    checkpoints = of_lease(tmp_path, "t1")
    (tmp_path / f".{STEM}-t0.checkpoint.0badcafe.tmp").write_bytes(b"half a")
    (tmp_path / f".{OTHER_JOB}.0badcafe.tmp").write_bytes(b"another half")
    checkpoints.drop()
    assert names(tmp_path) == [f".{OTHER_JOB}.0badcafe.tmp"]


def test_the_jobs_of_a_store_are_found_by_their_files(tmp_path):
    assert jobs_with_checkpoints(tmp_path / "none", STORE) == set()
    for name in (
        OTHER_JOB,
        f".{STEM}-t0.checkpoint.0badcafe.tmp",
        f"{STEM[:-5]}00007-t1.result",  # no checkpoint
        f"{STEM[:-5]}00008-t1.unreadable",
        f"{'f' * 16}-r1-a00009-t1.checkpoint",  # of another store
        "notes.checkpoint",
    ):
        (tmp_path / name).write_bytes(b"")
    assert jobs_with_checkpoints(tmp_path, STORE) == {(1, INDEX), (1, 14_322)}


def test_a_lease_can_drop_its_own_checkpoint_alone(tmp_path, made):
    for token in ("t1", "t2"):
        of_lease(tmp_path, token).save(made[0])
    of_lease(tmp_path, "t2").drop_own()
    of_lease(tmp_path, "t3").drop_own()
    assert names(tmp_path) == [f"{STEM}-t1.checkpoint"]


@pytest.mark.parametrize(("every_s", "epoch", "written"), [(0, 1, 1), (600, 1, 0), (0, 3, 0)])
def test_a_checkpoint_is_written_when_it_is_due_and_of_use(tmp_path, made, every_s, epoch, written):
    report = SimpleNamespace(epoch=epoch, epochs=3, checkpoint=lambda: made[epoch - 1])
    with of_lease(tmp_path, "t1", every_s=every_s) as checkpoints:
        checkpoints.after_epoch(report)
    assert len(names(tmp_path)) == written


@pytest.mark.parametrize("drop", [JobCheckpoints.drop, JobCheckpoints.drop_own])
def test_nothing_is_written_after_a_drop(tmp_path, drop):
    begun, free = threading.Event(), threading.Event()
    checkpoints = of_lease(tmp_path, "t1")
    report = SimpleNamespace(epoch=1, epochs=3, checkpoint=lambda: SlowCheckpoint(begun, free))
    checkpoints.after_epoch(report)
    assert begun.wait(60)
    dropping = threading.Thread(target=drop, args=(checkpoints,))
    dropping.start()
    free.set()
    dropping.join(60)
    assert names(tmp_path) == []


class SlowCheckpoint:
    """Writes its file in two pieces."""

    epoch = 1

    def __init__(self, begun, free):
        self._begun, self._free = begun, free

    def save(self, path):
        with replacing(path) as file:
            file.write(b"half a ")
            self._begun.set()
            assert self._free.wait(60)
            file.write(b"checkpoint")


def reported(checkpoints, epoch):
    checkpoints.after_epoch(SimpleNamespace(epoch=epoch, epochs=3, checkpoint=lambda: Unwritable))


@pytest.mark.parametrize(
    "later", [lambda checkpoints: reported(checkpoints, 2), JobCheckpoints.check]
)
def test_a_failed_write_is_raised_after_the_next_epoch_or_when_asked(tmp_path, later):
    with of_lease(tmp_path, "t1") as checkpoints:
        reported(checkpoints, 1)
    reported(checkpoints, 3)  # the training is over, and its result comes first
    with pytest.raises(OSError, match="No space left on device"):
        later(checkpoints)


def test_a_failed_write_is_raised_though_no_other_is_due(tmp_path):
    with of_lease(tmp_path, "t1", every_s=600.0) as checkpoints:
        checkpoints._begun_at -= 601
        reported(checkpoints, 1)
    with pytest.raises(OSError, match="No space left on device"):
        reported(checkpoints, 2)


class Unwritable:
    epoch = 1

    @staticmethod
    def save(path):
        raise OSError(28, "No space left on device")
