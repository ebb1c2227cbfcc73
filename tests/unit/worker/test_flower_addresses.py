import pytest

from blox_worker.commands.watch.flower import _is_loopback


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
    ],
)
def test_only_what_this_machine_alone_sees_needs_no_password(address, is_loopback):
    assert _is_loopback(address) is is_loopback
