"""What a session has of the most usual subjects, in the order in which it was first heard of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ledger.plans import Plan

from ..engine.tables import Row, Table
from ..folds.messages import MESSAGES
from ..folds.qa import QA
from ..folds.runs import RUNS
from ..folds.traces import TRACES
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
        self, name: str, session: SessionKey, consistency: Consistency, **options: Any
    ) -> Plan[list[Any]]:
        """Return the views of a session in the order in which they were first heard of."""
        key = self.table(name).key[2:]
        return self.rows(name, session, consistency, order=("first_sequence", *key), **options)

    def runs(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        status: str | None,
    ) -> Plan[list[Any]]:
        """Return a session's runs in the order in which they were first heard of."""
        return self.rows(
            RUNS.name,
            session,
            consistency,
            order=("first_sequence", "run_id"),
            limit=limit,
            newest_first=newest_first,
            status=status,
        )

    def active_run(self, session: SessionKey, consistency: Consistency) -> Plan[Any]:
        """Return the session's running run, the newest if there are several, or None."""
        running = yield from self.runs(
            session, consistency, limit=1, newest_first=True, status=RUNNING
        )
        return running[0] if running else None

    def qa(
        self, session: SessionKey, consistency: Consistency, *, last_n: int | None
    ) -> Plan[list[Any]]:
        """Return a session's answered questions, or the last of them, oldest first."""
        newest_first = count_limit(last_n, "last_n") is not None
        found = yield from self.rows(
            QA.name,
            session,
            consistency,
            order=("first_sequence", "qa_id"),
            limit=last_n,
            newest_first=newest_first,
        )
        return found[::-1] if newest_first else found

    def traces(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        run_id: str | None,
        source: str | None,
    ) -> Plan[list[Any]]:
        """Return the pieces of work of a session or run in the order in which they began."""
        return self.rows(
            TRACES.name,
            session,
            consistency,
            order=("first_sequence", "span_id"),
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
            source=source,
        )

    def messages(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        run_id: str | None,
    ) -> Plan[list[Any]]:
        """Return the messages of a session or run in the order of the conversation."""
        return self.rows(
            MESSAGES.name,
            session,
            consistency,
            order=("first_sequence", "message_id"),
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
        )
