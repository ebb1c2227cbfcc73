"""The scheduler: keeps the queue filled with the jobs of a run, until all have ended.

What it knows is in the store. Several may run: the one that holds the run's lease is active, the
others stand by; and since each of its actions is conditional or harmless when repeated, one that
was frozen and does not know yet that it lost the lease does no harm.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import uuid4

from blox_core.space import SPACE_SIZE
from blox_store.errors import StoreUnavailable
from blox_store.store import DueJob, JobState, Run, Store
from blox_worker.errors import BrokerUnavailable
from blox_worker.job_log import log_reaped
from blox_worker.queue.broker import BATCH, Broker
from blox_worker.reaper import Reaper

logger = logging.getLogger(__name__)

Order = Callable[[Store, Run, Sequence[DueJob]], list[DueJob]]


class Scheduler:
    """Publishes the jobs of a run and looks after them.

    `name` is what others see of it; `poll_s` the time between two rounds; `lease_s` that of its
    own lease, after which another scheduler takes over. One that `stays` goes on when all jobs have
    ended, for those that are added or tried again.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        broker: Broker,
        reaper: Reaper,
        *,
        name: str,
        order: str,
        poll_s: float,
        lease_s: float,
        stays: bool = False,
    ) -> None:
        self._store = store
        self._run = run
        self._broker = broker
        self._reaper = reaper
        self._name = name
        self._order = ORDERS[order]
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._stays = stays
        self._token = uuid4().hex
        self._was_active: bool | None = None
        self._had_all_ended = False
        self._looked_at = time.monotonic()
        self._queued = 0
        self._missing_at = 0.0

    def run(self, stop: threading.Event) -> bool:
        """Schedule until all jobs have ended or a stop is requested; return whether all have.

        Outages of store and broker are waited out.
        """
        while not stop.is_set():
            try:
                if self._round(stop):
                    self._store.schedulers.release(self._run.id, self._token)
                    return True
            except StoreUnavailable as error:
                logger.warning("%s; trying again", error)
                self._reaper.wait()
            except BrokerUnavailable as error:
                logger.warning("%s; trying again", error)
            stop.wait(self._poll_s)
        self._step_down()
        return False

    def _round(self, stop: threading.Event) -> bool:
        """Do what there is to do now; return whether all jobs have ended."""
        counts = self._store.jobs.counts(self._run.id)
        if self._have_all_ended(counts):
            return True
        if not self._holds_lease():
            return False
        self._wait_after_a_stall()
        for job in self._reaper.reap():
            log_reaped(job)
        self._publish_again_what_was_lost(counts[JobState.QUEUED], stop)
        self._publish(self._store.jobs.due(self._run.id), stop)
        return False

    def _have_all_ended(self, counts: Mapping[JobState, int]) -> bool:
        """Return whether all jobs have ended; never of a scheduler that stays, which says so once."""
        have_ended = all(state.ended or not count for state, count in counts.items())
        if self._stays and have_ended and not self._had_all_ended:
            logger.warning("all jobs of %s have ended; waiting for more", self._run)
        self._had_all_ended = have_ended
        return have_ended and not self._stays

    def _holds_lease(self) -> bool:
        active = self._store.schedulers.hold(
            self._run.id, holder=self._name, token=self._token, lease_s=self._lease_s
        )
        if active is not self._was_active:
            level = logging.WARNING if self._was_active else logging.INFO  # its lease was lost
            logger.log(level, "scheduler %s %s", self._name, "is active" if active else "stands by")
            if active:
                self._reaper.wait()  # nobody can say how long no scheduler looked
            self._was_active = active
        return active

    def _wait_after_a_stall(self) -> None:
        """Let a lease pass after a round that took one: if the store hung, nobody could renew."""
        now = time.monotonic()
        if now - self._looked_at > self._lease_s + self._poll_s:
            logger.warning(
                "nothing moved for %.0f s; no lease is ended for now", now - self._looked_at
            )
            self._reaper.wait()
        self._looked_at = now

    def _publish_again_what_was_lost(self, queued: int, stop: threading.Event) -> None:
        """Publish queued jobs anew if their messages are gone: nobody else would miss them."""
        kept = self._broker.remembers(self._run)
        if kept and not self._messages_are_missing(queued):
            return
        jobs = self._store.jobs.queued(self._run.id)
        if jobs:
            logger.warning("the broker has lost messages; publishing %s again", len(jobs))
        if self._publish(jobs, stop) and not kept:
            self._broker.remember(self._run)

    def _messages_are_missing(self, queued: int) -> bool:
        """Return whether a lease has passed in which no job was claimed for want of messages.

        Runs share a queue: there are too few if it is shorter than the list of queued jobs of
        all of them. It is so for moments too, while workers claim what they have taken. Messages
        that are one too many hide as many lost ones until they are used up.
        """
        jobs = self._store.jobs
        stands_still = bool(queued) and queued == self._queued
        are_too_few = stands_still and self._broker.waiting() < jobs.queued_beside(self._run)
        self._queued = queued
        now = time.monotonic()
        are_missing = are_too_few and now >= self._missing_at
        if are_missing or not are_too_few:
            self._missing_at = now + self._lease_s
        return are_missing

    def _publish(self, jobs: Sequence[DueJob], stop: threading.Event) -> bool:
        """Publish jobs, and mark them queued afterwards: a message too many is harmless.

        Returns whether that was done to the end; a stop, or a lease that was lost, ends it sooner.
        """
        ordered = self._order(self._store, self._run, jobs) if len(jobs) > 1 else jobs
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            if stop.is_set() or (start and not self._holds_lease()):
                return False
            self._broker.publish(self._run, batch)
            self._store.jobs.mark_queued(self._run.id, [job.arch_index for job in batch])
        return True

    def _step_down(self) -> None:
        try:
            self._store.schedulers.release(self._run.id, self._token)
        except StoreUnavailable as error:
            logger.warning("%s; the scheduler's lease runs out by itself", error)


def _by_index(store: Store, run: Run, jobs: Sequence[DueJob]) -> list[DueJob]:
    return sorted(jobs, key=lambda job: (-job.priority, job.arch_index))


def _shuffled(store: Store, run: Run, jobs: Sequence[DueJob]) -> list[DueJob]:
    """Return the jobs in an order that only depends on the run's seed, priorities first."""
    ranks = list(range(SPACE_SIZE))
    random.Random(run.seed).shuffle(ranks)
    return sorted(jobs, key=lambda job: (-job.priority, ranks[job.arch_index]))


def _cheapest_first(store: Store, run: Run, jobs: Sequence[DueJob]) -> list[DueJob]:
    with store.snapshot() as snapshot:
        costs = snapshot.all_costs(run.shape)
    return sorted(
        jobs, key=lambda job: (-job.priority, costs.get(job.arch_index, (0, 0))[1], job.arch_index)
    )


ORDERS: Final[Mapping[str, Order]] = {
    "index": _by_index,
    "shuffled": _shuffled,
    "cheapest": _cheapest_first,
}
