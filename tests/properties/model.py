"""What a log is, in plain lists: the whole contract in two pages, slow and obvious."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger import NewEvent

Session = tuple[str, str]


@dataclass(frozen=True)
class Fact:
    """What a caller says; `occurred` None leaves the time to the ledger."""

    event_id: str
    type: str = "a"
    text: str = ""
    run_id: str | None = None
    occurred: datetime | None = None

    def event(self) -> NewEvent:
        """Return it as an argument of append."""
        return NewEvent(
            {"text": self.text},
            self.type,
            event_id=self.event_id,
            run_id=self.run_id,
            occurred_at=self.occurred,
        )

    def repeats(self, earlier: "Fact") -> bool:
        """Whether it is the earlier fact again; a time that was left out is not compared."""
        return replace(self, occurred=None) == replace(earlier, occurred=None) and (
            self.occurred in (None, earlier.occurred)
        )


@dataclass
class Row:
    """A stored fact."""

    session: Session
    sequence: int
    fact: Fact
    parent: tuple[str, int] | None = None


class Refused(Exception):
    """Nothing was stored; the name of the error says why."""


@dataclass
class Log:
    """The state of a ledger."""

    bucket_of: Callable[[str, str], int]
    sessions: dict[Session, list[Row]] = field(default_factory=dict)
    buckets: dict[int, list[Row]] = field(default_factory=dict)

    def append(
        self, parts: Iterable[tuple[Session, Sequence[Fact], int | None, int | None]]
    ) -> list[list[tuple[int, bool]]]:
        """Store parts as one; return (sequence, stored) per fact, or raise Refused."""
        merged: dict[Session, tuple[int | None, int | None, dict[str, Fact]]] = {}
        parts = list(parts)
        for session, facts, expected, incarnation in parts:
            known = merged.setdefault(session, (expected, incarnation, {}))[2]
            for fact in facts:
                if not fact.repeats(known.setdefault(fact.event_id, fact)):
                    raise Refused("EventIdReused")
        for session, (expected, incarnation, facts_by_id) in merged.items():
            stored = [self.find(session, fact.event_id) for fact in facts_by_id.values()]
            pairs = zip(stored, facts_by_id.values(), strict=True)
            if any(row is not None and not fact.repeats(row.fact) for row, fact in pairs):
                raise Refused("EventIdReused")
            if None in stored and incarnation not in (None, self.incarnation(session)):
                raise Refused("IncarnationConflict")
            if None in stored and expected not in (None, self.head(session)):
                raise Refused("SequenceConflict")
        new = {
            (session, fact.event_id)
            for session, (_, _, facts_by_id) in merged.items()
            for fact in facts_by_id.values()
            if self.find(session, fact.event_id) is None
        }
        for session, (_, _, facts_by_id) in merged.items():
            for fact in facts_by_id.values():
                if (session, fact.event_id) in new:
                    self._store(session, fact)

        def told(fact: Fact, session: Session) -> bool:
            """Whether this is the copy of a fact that was stored: the first of a new one."""
            first = (session, fact.event_id) in new
            new.discard((session, fact.event_id))
            return first

        return [
            [(self.find(session, fact.event_id).sequence, told(fact, session)) for fact in facts]
            for session, facts, _, _ in parts
        ]

    def fork(self, tenant: str, parent: str, at: int, into: str) -> tuple[int, bool]:
        """Begin `into` behind a visible event; the same fork again is the first one."""
        if into == parent or at not in [row.sequence for row in self.visible((tenant, parent))]:
            raise Refused("InvalidArgument")
        if any(row.fact.type == "session.deleted" for row in self.rows((tenant, into))):
            raise Refused("InvalidArgument")
        fact = Fact(f"fork:{parent}:{at}", "session.forked")
        known = self.find((tenant, into), fact.event_id)
        if known is not None:
            return known.sequence, False
        if self.head((tenant, into)):
            raise Refused("SequenceConflict")
        self._store((tenant, into), fact, (parent, at))
        return 1, True

    def delete(self, session: Session, event_id: str) -> bool:
        """Hide what a session has; False if it has nothing."""
        if not self.visible(session):
            return False
        self._store(session, Fact(event_id, "session.deleted"))
        return True

    def rows(self, session: Session) -> list[Row]:
        """Everything that was ever stored in a session."""
        return self.sessions.get(session, [])

    def head(self, session: Session) -> int:
        """The last sequence of a session."""
        return len(self.rows(session))

    def incarnation(self, session: Session) -> int:
        """The sequence of the last deletion of a session."""
        ends = [r.sequence for r in self.rows(session) if r.fact.type == "session.deleted"]
        return max(ends, default=0)

    def visible(self, session: Session) -> list[Row]:
        """What came after the last deletion."""
        return self.rows(session)[self.incarnation(session) :]

    def find(self, session: Session, event_id: str) -> Row | None:
        """The row of an id, hidden or not."""
        return next((row for row in self.rows(session) if row.fact.event_id == event_id), None)

    def read(
        self,
        session: Session,
        *,
        after: int = 0,
        before: int | None = None,
        run_id: str | None = None,
        types: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        lineage: bool = False,
        deleted: bool = False,
    ) -> list[Row]:
        """What the ledger's read must return."""
        found = [
            row
            for row in self._lineage(session, deleted)
            if lineage or row.session == session
            if row.sequence > after
            and (before is None or row.sequence < before)
            and (run_id is None or row.fact.run_id == run_id)
            and (types is None or row.fact.type in types)
            # A time that was left out is today's, later than any that is given.
            and (since is None or row.fact.occurred is None or row.fact.occurred >= since)
            and (until is None or (row.fact.occurred is not None and row.fact.occurred < until))
        ]
        return (found[::-1] if newest_first else found)[:limit]

    def session_ids(self, tenant: str, *, deleted: bool) -> set[str]:
        """What the ledger's listing must contain."""
        return {s for t, s in self.sessions if t == tenant and (deleted or self.visible((t, s)))}

    def _lineage(self, session: Session, deleted: bool) -> list[Row]:
        shown = self.rows if deleted else self.visible
        found: list[Row] = []
        at: int | None = None
        while True:
            part = [row for row in shown(session) if at is None or row.sequence <= at]
            found = part + found
            first = shown(session)[:1]
            if not first or first[0].parent is None:
                return found
            session, at = (session[0], first[0].parent[0]), first[0].parent[1]

    def _store(self, session: Session, fact: Fact, parent: tuple[str, int] | None = None) -> None:
        row = Row(session, self.head(session) + 1, fact, parent)
        self.sessions.setdefault(session, []).append(row)
        self.buckets.setdefault(self.bucket_of(*session), []).append(row)


def seen(events: Iterable[Any]) -> list[tuple[Session, int, str, str]]:
    """Reduce the ledger's events to what the model knows of them."""
    return [((e.tenant, e.session_id), e.sequence, e.type, e.data.get("text", "")) for e in events]


def wanted(rows: Iterable[Row]) -> list[tuple[Session, int, str, str]]:
    """Reduce the model's rows likewise."""
    return [(row.session, row.sequence, row.fact.type, row.fact.text) for row in rows]
