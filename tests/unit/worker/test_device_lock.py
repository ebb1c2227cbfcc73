"""Locks on devices: who shares one, who waits, and what a device is called."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pynvml
import pytest

from blox_core import file_lock
from blox_store.errors import SettingsError
from blox_worker.device import lock as device_lock
from blox_worker.device.gpus import Gpu
from blox_worker.device.lock import DeviceLock
from blox_worker.errors import DeviceBusy, DeviceMissing
from tests.support.device_locks import is_free

UUID = "GPU-8f1c6b1e-0d2a-4c55-9a3e-6d4f0b7e2c10"


def holding(folder, *, alone, device="cpu"):
    """Hold the lock as another process would: each opens the file by itself."""
    return DeviceLock(folder, device).held(alone=alone, stop=threading.Event())


def test_trainings_share_a_device_and_a_measurement_does_not(tmp_path):
    with holding(tmp_path, alone=False):
        assert is_free(tmp_path, alone=False)
        assert not is_free(tmp_path, alone=True)
    with holding(tmp_path, alone=True):
        assert not is_free(tmp_path, alone=False)
        assert not is_free(tmp_path, alone=True)
    assert is_free(tmp_path, alone=True)


def test_who_waits_to_be_alone_is_not_passed_by_trainings(tmp_path):
    waits, stop = threading.Event(), threading.Event()
    got = []

    def measure():
        lock = DeviceLock(tmp_path, "cpu")
        waits.set()
        with lock.held(alone=True, stop=stop):
            got.append("alone")

    with holding(tmp_path, alone=False):
        thread = threading.Thread(target=measure)
        thread.start()
        waits.wait()
        while is_free(tmp_path, alone=False):
            pass  # until the other thread has its turn
        assert got == []
    thread.join()
    assert got == ["alone"]


def test_a_stop_ends_the_waiting(tmp_path):
    with holding(tmp_path, alone=True):
        stop = threading.Event()
        threading.Timer(0.1, stop.set).start()
        with (
            pytest.raises(DeviceBusy, match="device cpu is in use: a measurement has it alone"),
            DeviceLock(tmp_path, "cpu").held(alone=False, stop=stop),
        ):
            pytest.fail("it was held")


WAITS = "waiting for device cpu: a measurement has it alone, or waits to have it"


@pytest.mark.parametrize(("tell_after_s", "told"), [(0.0, [WAITS]), (60.0, [])])
def test_a_wait_that_lasts_is_told_once(tmp_path, monkeypatch, caplog, tell_after_s, told):
    monkeypatch.setattr("blox_worker.device.lock._TELL_AFTER_S", tell_after_s)

    class Stop(threading.Event):
        looks = 0

        def wait(self, timeout=None):
            """Let no time pass, and the other one end after three looks."""
            self.looks += 1
            if self.looks == 3:
                other.close()
            return False

    stop = Stop()
    with ExitStack() as other:
        other.enter_context(holding(tmp_path, alone=True))
        with DeviceLock(tmp_path, "cpu").held(alone=False, stop=stop):
            assert stop.looks == 3
    path = tmp_path / "blox-device-cpu.lock"
    assert [record.message for record in caplog.records] == [f"{text} ({path})" for text in told]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_deleted_while_it_is_waited_for_locks_nobody_out(
    tmp_path, monkeypatch, is_replaced
):
    locks, times, path = file_lock._locks, [], tmp_path / "blox-device-cpu.lock"

    def locks_after_a_cleaning(descriptor, kind):
        times.append(kind)
        if len(times) == 2:  # the first is the turn
            path.unlink()
            if is_replaced:
                path.touch()
        return locks(descriptor, kind)

    monkeypatch.setattr(file_lock, "_locks", locks_after_a_cleaning)
    with DeviceLock(tmp_path, "cpu").held(alone=True, stop=threading.Event()):
        assert not is_free(tmp_path, alone=False)
        assert len(open_files(tmp_path)) == 1
    assert open_files(tmp_path) == []


def open_files(folder):
    """The files of a folder that this process has open."""
    places = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    return [place for place in places if place.is_relative_to(folder)]


@pytest.mark.parametrize(
    ("visible", "device", "name"),
    [
        ("GPU-aa", "cuda", "GPU-aa"),
        ("GPU-aa, GPU-bb", "cuda:1", "GPU-bb"),
        ("", "cuda:1", "1"),
        ("GPU-aa", "cpu", "cpu"),
    ],
)
def test_each_gpu_has_a_lock_of_its_own(tmp_path, monkeypatch, visible, device, name):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert DeviceLock(tmp_path, device).name == name
    with holding(tmp_path, alone=True, device="cpu" if device != "cpu" else "cuda"):
        assert is_free(tmp_path, alone=True, device=device)


def test_a_lock_is_for_all_users_of_the_machine(tmp_path):
    before = os.umask(0o077)
    try:
        assert is_free(tmp_path, alone=True)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    assert is_free(tmp_path, alone=True)


def test_without_a_folder_it_is_where_temporary_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with holding(tmp_path, alone=True):
        assert not is_free(None, alone=False)


def test_a_gpu_has_one_name_however_a_process_comes_to_see_it(tmp_path, monkeypatch):
    there = [Gpu(number=n, name="a GPU", uuid=f"GPU-{n}{n}") for n in (0, 1)]
    monkeypatch.setattr("blox_worker.device.lock.installed", lambda: there)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert DeviceLock(tmp_path, "cuda:1").name == "GPU-11"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert DeviceLock(tmp_path, "cuda").name == "GPU-11"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-11")
    assert DeviceLock(tmp_path, "cuda").name == "GPU-11"


def test_shares_of_a_gpu_have_the_lock_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(device_lock, "whole_gpu", {"MIG-a": UUID, "MIG-b": UUID}.get)
    names = []
    for visible in ("MIG-a", "MIG-b", UUID, "MIG-of-nobody"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        names.append(DeviceLock(tmp_path, "cuda").name)
    assert names == [UUID, UUID, UUID, "MIG-of-nobody"]


def test_a_driver_that_is_lost_is_not_asked_for_a_uuid_that_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", lost)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"1, {UUID}")
    assert DeviceLock(tmp_path, "cuda:1").name == UUID
    for visible in ("1", UUID[:-1], "MIG-a"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with pytest.raises(DeviceMissing, match="does not answer"):
            DeviceLock(tmp_path, "cuda")


def lost():
    raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsError, match="BLOX_LOCK_DIR has to be a folder"),
        DeviceLock(tmp_path / "file", "cpu").held(alone=True, stop=threading.Event()),
    ):
        pytest.fail("there is no folder")
