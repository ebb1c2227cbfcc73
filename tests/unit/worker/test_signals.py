import os
import signal
import threading

from blox_worker.processes.signals import REQUESTS, WAKE, Signals


def test_signals_are_noted_in_their_order():
    with Signals() as signals, signals.noted(REQUESTS):
        assert signals.take() == b""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert signals.next() == signal.SIGTERM
        assert signals.take() == bytes([signal.SIGINT, signal.SIGTERM])


def test_a_wait_ends_when_it_is_woken():
    with Signals() as signals:
        threading.Thread(target=signals.wake).start()
        assert signals.next() == WAKE
    signals.wake()  # one that comes late


def test_the_former_handlers_come_back():
    before = [signal.getsignal(number) for number in REQUESTS]
    with Signals() as signals:
        with signals.noted(REQUESTS):
            assert signal.getsignal(signal.SIGTERM) not in before
        assert [signal.getsignal(number) for number in REQUESTS] == before
    assert signal.set_wakeup_fd(-1) == -1
