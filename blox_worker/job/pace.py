"""How fast a worker trains: the images per second of its last epoch."""

from __future__ import annotations

import time


class Pace:
    """Measures a worker's training from one thread, for others to read.

    An epoch's time is all that passes until the next report of one, its evaluation included; the
    first of an attempt has its preparations too.
    """

    def __init__(self) -> None:
        self._images_per_s: float | None = None
        self._since = 0.0

    @property
    def images_per_s(self) -> float | None:
        """Training images per second in the last epoch, None while nothing is trained."""
        return self._images_per_s

    def start(self) -> None:
        """Note that a training begins or goes on."""
        self._images_per_s = None
        self._since = time.monotonic()

    def epoch_ended(self, images: int) -> None:
        """Note that an epoch of so many training images has ended."""
        now = time.monotonic()
        if now > self._since:
            self._images_per_s = images / (now - self._since)
        self._since = now

    def end(self) -> None:
        """Note that nothing is trained any more."""
        self._images_per_s = None
