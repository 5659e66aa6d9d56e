"""What a session has of a subject, in the order in which it was first heard of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ledger.plans import Plan

from ..engine.tables import Row, Table
from ..folds.runs import RUNS
from .arguments import count_limit
from .consistency import Consistency, SessionKey

RUNNING = "running"


class SubjectRows(ABC):
    """A part of a Reader; each of its operations is one call of `rows`."""

    @abstractmethod
    def rows(
        self,
        name: str,
        session: SessionKey,
        consistency: Consistency,
        /,
        *,
        order: tuple[str, ...] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        after: Row | None = None,
        absent: tuple[str, ...] = (),
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return the views of a session."""

    @abstractmethod
    def table(self, name: str) -> Table:
        """Return the table of a projection."""

    def listed(
        self, name: str, session: SessionKey, consistency: Consistency, /, **options: Any
    ) -> Plan[list[Any]]:
        """Return the views of a session in the order in which they were first heard of."""
        key = self.table(name).key[2:]
        return self.rows(name, session, consistency, order=("first_sequence", *key), **options)

    def last(
        self,
        name: str,
        session: SessionKey,
        consistency: Consistency,
        last_n: int | None,
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return what `listed` does, or the last of it, always oldest first."""
        newest_first = count_limit(last_n, "last_n") is not None
        options: dict[str, Any] = {"limit": last_n, "newest_first": newest_first}
        found = yield from self.listed(name, session, consistency, **options, **filters)
        return found[::-1] if newest_first else found

    def active_run(self, session: SessionKey, consistency: Consistency) -> Plan[Any]:
        """Return the session's running run, the newest if there are several, or None."""
        running = yield from self.listed(
            RUNS.name, session, consistency, limit=1, newest_first=True, status=RUNNING
        )
        return running[0] if running else None
