import os

import pytest

from blox_core.file_lock import try_lock


def opened(path):
    return os.open(path, os.O_RDWR | os.O_CREAT)


@pytest.mark.parametrize(
    ("first", "second", "is_free"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
def test_only_shared_locks_go_together(tmp_path, first, second, is_free):
    path = tmp_path / "lock"
    held = try_lock(path, opened, shared=first)
    other = try_lock(path, opened, shared=second)
    assert (other is not None) == is_free
    os.close(held)
    free = try_lock(path, opened, shared=True)
    for descriptor in {other, free} - {None}:
        os.close(descriptor)


@pytest.mark.parametrize(("deletions", "is_locked"), [(3, True), (1000, False)])
def test_a_file_that_is_deleted_before_it_is_locked_is_opened_again(tmp_path, deletions, is_locked):
    path, left = tmp_path / "lock", iter(range(deletions))

    def open_and_lose(path):
        descriptor = opened(path)
        if next(left, None) is not None:
            path.unlink()
        return descriptor

    descriptor = try_lock(path, open_and_lose)
    assert (descriptor is not None) == is_locked
    if is_locked:
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        os.close(descriptor)
