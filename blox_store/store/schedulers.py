"""Who schedules a run: a lease, so that several schedulers may stand by and one acts."""

from __future__ import annotations

from sqlalchemy import delete, or_, select

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.database.database import StorePart
from blox_store.store.database.stored_text import stored_name
from blox_store.store.database.upsert import upsert

_SCHEDULERS = schema.schedulers.c


class Schedulers(StorePart):
    """The leases on the right to schedule a run; they expire by the database's clock."""

    def hold(self, run_id: int, *, holder: str, token: str, lease_s: float) -> bool:
        """Take or renew the lease for `lease_s` seconds; return False if another has it.

        `token` tells schedulers apart (at most 32 characters), `holder` names one to people.
        """
        values = {"holder": stored_name(holder), "token": token, "until_s": now_s() + lease_s}
        free = or_(_SCHEDULERS.token == token, _SCHEDULERS.until_s < now_s())
        with self._database.write() as connection:
            taken = connection.execute(
                upsert(connection.dialect, schema.schedulers)
                .values(run_id=run_id, **values)
                .on_conflict_do_update(index_elements=[_SCHEDULERS.run_id], set_=values, where=free)
                .returning(_SCHEDULERS.run_id)
            )
            return taken.first() is not None

    def release(self, run_id: int, token: str) -> None:
        """Give the lease of this token back, so that the next scheduler need not wait."""
        with self._database.write() as connection:
            connection.execute(
                delete(schema.schedulers).where(
                    _SCHEDULERS.run_id == run_id, _SCHEDULERS.token == token
                )
            )

    def holder(self, run_id: int) -> str | None:
        """Return who schedules a run, None if nobody does."""
        with self._database.read() as connection:
            found: str | None = connection.scalar(
                select(_SCHEDULERS.holder).where(
                    _SCHEDULERS.run_id == run_id, _SCHEDULERS.until_s >= now_s()
                )
            )
            return found
