"""Checkpoints written beside a training: the latest, one at a time, and nothing after a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blox_core.checkpoint.writer import CheckpointWriter
from tests.support.servers import wait_until

PATH = Path("a.checkpoint")
FULL = OSError(28, "No space left on device")
TIMEOUT_S = 60


class Disk:
    """Where checkpoints come: a write ends once `free` is set, by `error` if there is one."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.threads: list[threading.Thread] = []
        self.free = threading.Event()
        self.error: Exception | None = None
        self._one_write = threading.Lock()

    def write(self, epoch: int) -> None:
        assert self._one_write.acquire(blocking=False), "two writes at once"
        try:
            self.threads.append(threading.current_thread())
            assert self.free.wait(TIMEOUT_S)
            if self.error is not None:
                raise self.error
            self.written.append(epoch)
        finally:
            self._one_write.release()

    def checkpoint(self, epoch: int) -> Callable[[], FakeCheckpoint]:
        return lambda: FakeCheckpoint(epoch, self)


@dataclass(frozen=True)
class FakeCheckpoint:
    epoch: int
    disk: Disk

    def save(self, path: str | Path) -> None:
        assert path == PATH
        self.disk.write(self.epoch)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.free.set()
    for thread in disk.threads:
        if thread is not threading.current_thread():
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


@pytest.fixture
def writer(disk: Disk) -> CheckpointWriter:
    return CheckpointWriter(PATH)


def failed(writer: CheckpointWriter, disk: Disk, error: Exception) -> None:
    """Have a write fail."""
    disk.error = error
    writer.offer(disk.checkpoint(1))
    disk.free.set()
    writer.stop()
    disk.error = None


def test_the_latest_of_those_that_come_meanwhile_is_written(
    writer: CheckpointWriter, disk: Disk
) -> None:
    for epoch in (1, 2, 3):
        writer.offer(disk.checkpoint(epoch))
    disk.free.set()
    wait_until(lambda: disk.written == [1, 3], "both")
    assert len(set(disk.threads)) == 1
    assert disk.threads[0].daemon


def test_a_checkpoint_is_made_in_the_writers_thread(writer: CheckpointWriter, disk: Disk) -> None:
    makers: list[threading.Thread] = []

    def make() -> FakeCheckpoint:
        makers.append(threading.current_thread())
        return FakeCheckpoint(1, disk)

    disk.free.set()
    writer.offer(make)
    writer.stop()
    assert makers == disk.threads
    assert threading.current_thread() not in makers


def test_what_is_offered_to_an_idle_writer_is_written_in_spite_of_a_stop(
    writer: CheckpointWriter, disk: Disk
) -> None:
    disk.free.set()
    for epoch in (1, 2):
        writer.offer(disk.checkpoint(epoch))
        writer.stop()
        assert disk.written[-1] == epoch
        disk.threads[-1].join(TIMEOUT_S)
        assert not disk.threads[-1].is_alive()


def test_a_stop_waits_for_what_is_written_and_drops_what_waits(
    writer: CheckpointWriter, disk: Disk
) -> None:
    def stop() -> None:
        with writer:  # its end stops the writer
            pass
        disk.written.append(0)

    writer.offer(disk.checkpoint(1))
    writer.offer(disk.checkpoint(2))
    stopper = threading.Thread(target=stop)
    stopper.start()
    wait_until(lambda: writer._waiting is None, "what waits to be dropped")
    disk.free.set()
    stopper.join(TIMEOUT_S)
    assert disk.written == [1, 0]


def test_an_error_is_raised_once_and_stops_nothing(
    writer: CheckpointWriter, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    failed(writer, disk, FULL)
    assert "checkpoint a.checkpoint was not written: [Errno 28] No space left" in caplog.text
    with pytest.raises(OSError, match="No space left on device"):
        writer.offer(disk.checkpoint(2))
    assert disk.written == []
    writer.check()
    writer.offer(disk.checkpoint(3))
    writer.stop()
    assert disk.written == [3]


def test_an_error_in_making_a_checkpoint_is_raised_too(
    writer: CheckpointWriter, disk: Disk
) -> None:
    def lost() -> FakeCheckpoint:
        raise RuntimeError("CUDA error: unspecified launch failure")

    writer.offer(lost)
    writer.stop()
    with pytest.raises(RuntimeError, match="CUDA error"):
        writer.check()


def test_one_that_waited_is_written_after_another_has_failed(
    writer: CheckpointWriter, disk: Disk
) -> None:
    def fail() -> FakeCheckpoint:
        assert disk.free.wait(TIMEOUT_S)
        raise FULL

    writer.offer(fail)
    writer.offer(disk.checkpoint(2))
    disk.free.set()
    wait_until(lambda: disk.written == [2], "the second")
    with pytest.raises(OSError, match="No space left on device"):
        writer.check()


@pytest.mark.parametrize(("epoch", "written"), [(3, [2, 3]), (2, [2]), (1, [2])])
def test_a_checkpoint_is_saved_at_once_if_it_is_newer(
    writer: CheckpointWriter, disk: Disk, epoch: int, written: list[int]
) -> None:
    disk.free.set()
    writer.offer(disk.checkpoint(2))
    writer.save(FakeCheckpoint(epoch, disk))
    assert disk.written == written
    assert (threading.current_thread() in disk.threads) == (epoch == 3)


def test_one_that_could_not_be_written_is_saved_again(writer: CheckpointWriter, disk: Disk) -> None:
    failed(writer, disk, FULL)
    writer.save(FakeCheckpoint(1, disk))
    assert disk.written == [1]
    writer.check()


def test_saving_raises_what_it_meets(writer: CheckpointWriter, disk: Disk) -> None:
    disk.free.set()
    disk.error = FULL
    with pytest.raises(OSError, match="No space left on device"):
        writer.save(FakeCheckpoint(1, disk))
