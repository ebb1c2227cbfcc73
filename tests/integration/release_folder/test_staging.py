"""Building folders: killed at any moment, an export leaves one release or the other, or can go on."""

import fcntl
import multiprocessing
import os

import pytest

from blox_store.errors import ExportRefused
from blox_store.release.names import is_pending as holds_a_mixture
from blox_store.release_folder import staging

OLD = {"a": "old a", "b": "old b", "manifest.json": "old"}
NEW = {"a": "new a", "c": "new c", "manifest.json": "new", "SIMULATED": "mark"}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "release"
    folder.mkdir()
    fill(folder, OLD)
    return folder


def fill(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def export(out):
    with staging.building_folder(out) as building:
        fill(building, NEW)
        staging.publish(building, out)


def fail(out):
    """Let an export fail while it builds."""
    with staging.building_folder(out) as building:
        fill(building, NEW)
        raise OSError("full")


def test_new_files_take_their_places(out):
    export(out)
    assert texts(out) == OLD | NEW
    assert not [path for path in out.iterdir() if path.is_dir()]


def test_a_failure_while_building_changes_nothing(out):
    with pytest.raises(OSError, match="full"):
        fail(out)
    assert texts(out) == OLD
    assert names(out) == sorted(OLD)


def test_a_folder_made_in_vain_goes_again(tmp_path):
    with pytest.raises(OSError, match="full"):
        fail(tmp_path / "new" / "folder")
    assert not (tmp_path / "new" / "folder").exists()


def test_killed_before_any_call_to_the_system(out, monkeypatch):
    """Let the export die before its first rename, its second one, …: all is well afterwards."""
    rename, renames, survived = os.rename, 0, False
    while not survived:
        for path in out.iterdir():
            path.unlink()
        fill(out, OLD)
        child = os.fork()
        if child == 0:
            left = iter(range(renames))

            def die_or_rename(*paths, left=left):
                if next(left, None) is None:
                    os._exit(9)
                rename(*paths)

            monkeypatch.setattr(os, "rename", die_or_rename)
            monkeypatch.setattr(os, "replace", die_or_rename)
            export(out)
            os._exit(0)
        survived = os.waitpid(child, 0)[1] == 0
        is_pending = holds_a_mixture(out)
        assert is_pending == (not survived and renames > 0)
        if not is_pending:
            kept = {name: text for name, text in texts(out).items() if name != ".export.lock"}
            assert kept == (OLD | NEW if survived else OLD)
        if is_pending and renames > 1:
            assert texts(out)["SIMULATED"] == "mark"
            assert texts(out)["manifest.json"] == "old"
        with pytest.raises(OSError, match="full"):
            fail(out)
        assert texts(out) == (OLD if renames == 0 else OLD | NEW)
        assert names(out) == sorted(texts(out))
        renames += 1
    assert renames == len(NEW) + 2


def test_two_at_once_are_refused(out):
    with staging.building_folder(out):
        message = "another export is writing into folder .*; wait for its end, or give another"
        with pytest.raises(ExportRefused, match=message), staging.building_folder(out):
            pass
    assert names(out) == sorted(OLD)


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(out, monkeypatch):
    flock = fcntl.flock

    def remove_first(handle, how):
        monkeypatch.undo()
        (out / ".export.lock").unlink()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    export(out)
    assert texts(out) == OLD | NEW


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportRefused, match="file cannot be written to: File exists"):
        export(tmp_path / "file")


def test_what_is_left_and_cannot_be_removed(out, monkeypatch):
    (out / ".export-left").mkdir()

    def refuse(*_, **__):
        raise PermissionError(1, "no right to it")

    monkeypatch.setattr(staging.shutil, "rmtree", refuse)
    with pytest.raises(ExportRefused, match="cannot be written to: no right to it"):
        export(out)


def hold(out, ready, done):
    with staging.building_folder(out):
        ready.set()
        done.wait(60)


def test_the_lock_of_a_process_that_was_killed_is_free(out):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(out, ready, done))
    holder.start()
    assert ready.wait(60)
    with pytest.raises(ExportRefused, match="another export"):
        export(out)
    holder.kill()
    holder.join()
    export(out)
    assert texts(out) == OLD | NEW
