"""How cognee's lifecycle rows are written and listed, and who has worked through what. Plans."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from ledger import InvalidArgument, NewEvent, SequenceConflict
from ledger.arguments import flag, list_limit, natural
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.consumers import Consumer
from ...folds.qa import QAEntry
from ...folds.session_status import ABANDONED, ABANDONED_AFTER_S, TERMINAL
from ...folds.sessions import Session
from ...readers.listing_cursors import ViewPage
from ...readers.session_lists import SessionStats
from ..snapshot.errors import SessionBusy
from . import entries, steps
from .core import ROUNDS_MAX, QACore
from .filtered_pages import PAGE_ROWS_MAX, fitting
from .ids import Key, Place, canonical, dataset_uuid, owned_prefix, owner_of, place_of_row
from .labels import labels_of
from .lifecycle_records import (
    ENTRIES_SHOWN,
    ORDERS,
    SAID,
    STATUSES,
    LifecycleDetail,
    LifecycleOrder,
    LifecycleRecord,
    LifecycleStats,
    LifecycleStatus,
    ModelCost,
    costs_of,
    counts_of,
    record_of,
    stats_of,
    stats_of_sums,
)
from .records import SessionQAEntry, SessionTraceStep, entry_of

#: A hundred years; what was longer ago than the first datetime cannot be told.
ABANDONED_AFTER_S_MAX = 3_155_760_000
ENDINGS = ("completed", "failed")

#: A session with its record as it stands at some moment.
Found = tuple[Session, LifecycleRecord]


class LifecyclePlans:
    """The lifecycle of the sessions of a store; `abandoned_after_s` is when one counts as left."""

    def __init__(self, core: QACore, abandoned_after_s: float = ABANDONED_AFTER_S) -> None:
        given: Any = abandoned_after_s
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not 0 <= given <= ABANDONED_AFTER_S_MAX:
            raise InvalidArgument(
                "abandoned_after_s",
                f"expected 0 to {ABANDONED_AFTER_S_MAX} seconds, got {shown(given)}",
            )
        self.core = core
        self.abandoned_after_s = abandoned_after_s

    def touch(self, place: Place, dataset_id: Key | None) -> Plan[LifecycleRecord]:
        """Begin a session, or note that somebody is at it, unless it has ended."""
        dataset = None if dataset_id is None else dataset_uuid(dataset_id)
        for _ in range(ROUNDS_MAX):
            row = yield from self.core.row_at_head(place)
            if row is None or row.status not in TERMINAL:
                # A fact that says nothing new; that it was said is what moves the last activity.
                facts = [] if row is None else [self.core.fact("session.amended", {})]
                yield from self.core.write(place, facts, dataset)
            written = yield from self.core.row_at_head(place)
            if written is not None:  # nobody deleted it in this very moment
                return (yield from self._record(written))
        raise SessionBusy(place.ledger_id, ROUNDS_MAX)

    def accumulate(self, place: Place, used: dict[str, Any]) -> Plan[int | None]:
        """Add what a call used, as one fact; None if that is nothing."""
        said = {name: value for name, value in used.items() if value not in (None, 0, False)}
        if not said.keys() - {"model"}:
            return None
        appended = yield from self.core.write(place, [self.core.fact("usage.recorded", said)])
        return appended[0].sequence

    def end(self, place: Place, status: str, reason: str | None) -> Plan[bool]:
        """End a session; False if it is not there or has ended already."""
        if status not in ENDINGS:
            raise InvalidArgument("status", f"expected completed or failed, got {shown(status)}")
        said = {"status": status} | ({} if reason is None else {"reason": reason})
        fact = self.core.fact("session.status_changed", said)

        def decide() -> Plan[Sequence[NewEvent] | None]:
            row = yield from self.core.row(place)
            return None if row is None or row.status in TERMINAL else [fact]

        return (yield from self.core.change(place, decide))

    def record(self, place: Place) -> Plan[LifecycleRecord | None]:
        """Return the record of a session, or None."""
        row = yield from self.core.row(place)
        return None if row is None else (yield from self._record(row))

    def _record(self, row: Session) -> Plan[LifecycleRecord]:
        record = record_of(row, self.core.now(), self.abandoned_after_s)
        [labelled] = yield from self._labelled([(row, record)])
        return labelled

    def _labelled(self, found: Sequence[Found]) -> Plan[list[LifecycleRecord]]:
        labels = yield from labels_of(self.core, [row for row, _ in found])
        return [
            record if label == record.label else msgspec.structs.replace(record, label=label)
            for (_, record), label in zip(found, labels, strict=True)
        ]

    def page(
        self,
        user_id: Key | None,
        *,
        everyone: bool,
        status: LifecycleStatus | None,
        order_by: LifecycleOrder,
        limit: int,
        cursor: str | None,
        descending: bool,
        **filters: Any,
    ) -> Plan[ViewPage[LifecycleRecord]]:
        """Return a page of records; what a page of rows has of others is left out."""
        user, asked = self._asked(user_id, everyone, status, filters)
        if order_by not in tuple(ORDERS):
            orders = ", ".join(ORDERS)
            raise InvalidArgument("order_by", f"expected one of {orders}, got {shown(order_by)}")
        count = natural(limit, "limit")
        asked |= self._said(status)

        def fetch(size: int, behind: str | None) -> Plan[ViewPage[Session]]:
            page: ViewPage[Session] = yield self.core.views.sessions_page(
                tenant=self.core.tenant,
                archived=True,
                order_by=ORDERS[order_by],
                descending=descending,
                limit=size,
                cursor=behind,
                **asked,
            )
            return page

        def fits(rows: Sequence[Session]) -> Plan[list[Found | None]]:
            alive = {row.session_id for row in (yield from self.core.alive(rows))}
            now = self.core.now()
            return [
                self._fit(row, user, everyone, status, now) if row.session_id in alive else None
                for row in rows
            ]

        kept = yield from fitting(fetch, fits, count, cursor, PAGE_ROWS_MAX)
        return ViewPage((yield from self._labelled(kept.items)), kept.cursor)

    def _said(self, status: LifecycleStatus | None, now: datetime | None = None) -> dict[str, Any]:
        """Return what to ask the view for, which is all that stands so at a moment, or more."""
        if status == ABANDONED and (now is not None or self.core.clock is None):
            # Else at one by the view's clock, which keeps it for all pages.
            moment = {} if now is None else {"now": now}
            return {"status": ABANDONED, "abandoned_after_s": self.abandoned_after_s, **moment}
        return {} if status is None else {"status": SAID[status]}

    def _found(
        self,
        user_id: Key | None,
        *,
        everyone: bool,
        status: LifecycleStatus | None = None,
        **filters: Any,
    ) -> Plan[list[Found]]:
        """Return all that fits, as it stands now."""
        user, asked = self._asked(user_id, everyone, status, filters)
        now = self.core.now()
        rows = yield from self.core.rows(**asked, **self._said(status, now))
        found = (self._fit(row, user, everyone, status, now) for row in rows)
        return [one for one in found if one is not None]

    def _sums(
        self, user_id: Key | None, *, everyone: bool, **filters: Any
    ) -> Plan[SessionStats | None]:
        """Have the view add up the sessions of everyone; None if it cannot tell which they are.

        It knows neither whose a session is by its id nor which have expired.
        """
        if not everyone or self.core.ttl is not None:
            return None
        _, asked = self._asked(user_id, everyone, None, filters)
        del asked["owner_prefix"]
        found: SessionStats = yield self.core.views.session_stats(
            tenant=self.core.tenant,
            abandoned_after_s=self.abandoned_after_s,
            now=self.core.now(),
            **asked,
        )
        return found

    def count(
        self, user_id: Key | None, *, status: LifecycleStatus | None = None, **options: Any
    ) -> Plan[int]:
        """Return how many records fit."""
        self._check(status)
        sums = yield from self._sums(user_id, **options)
        if sums is not None:
            return sums.session_count if status is None else counts_of(sums)[status]
        found = yield from self._found(user_id, status=status, **options)
        return len(found)

    def stats(self, user_id: Key | None, **options: Any) -> Plan[LifecycleStats]:
        """Return the sums over all records that fit."""
        sums = yield from self._sums(user_id, **options)
        if sums is not None:
            return stats_of_sums(sums)
        return stats_of((yield from self._found(user_id, **options)))

    def costs(
        self, user_id: Key | None, *, everyone: bool, **filters: Any
    ) -> Plan[list[ModelCost]]:
        """Return what each model was used for."""
        user, asked = self._asked(user_id, everyone, None, filters)
        rows = yield from self.core.rows(**asked)
        return costs_of(row for row in rows if everyone or place_of_row(row).user_id == user)

    def _asked(
        self,
        user_id: Key | None,
        everyone: bool,
        status: LifecycleStatus | None,
        filters: dict[str, Any],
    ) -> tuple[str | None, dict[str, Any]]:
        user = owner_of(user_id, everyone=everyone)
        self._check(status)
        dataset_id = filters.pop("dataset_id", None)
        dataset = None if dataset_id is None else dataset_uuid(dataset_id)
        # Who began a session for a user may not have said whose it is. The id does.
        prefix = None if user is None else owned_prefix(user)
        whose = {"owner_id": user, "owner_prefix": prefix}
        return user, {**filters, **whose, "dataset_id": dataset}

    def _check(self, status: LifecycleStatus | None) -> None:
        if status is not None and status not in STATUSES:
            statuses = ", ".join(STATUSES)
            raise InvalidArgument("status", f"expected one of {statuses}, got {shown(status)}")

    def _fit(
        self, row: Session, user: str | None, everyone: bool, status: str | None, now: datetime
    ) -> Found | None:
        record = record_of(row, now, self.abandoned_after_s)
        fits = (everyone or record.user_id == user) and status in (None, record.effective_status)
        return (row, record) if fits else None

    def detail(self, place: Place) -> Plan[LifecycleDetail | None]:
        """Return a session with its last answers and steps, or None."""
        record = yield from self.record(place)
        if record is None:
            return None
        count: int = yield self.core.views.count_qa(
            tenant=self.core.tenant, session_id=place.ledger_id
        )
        return LifecycleDetail(
            record=record,
            msg_count=count,
            tool_calls=(yield from steps.count(self.core, place)),
            qas=(yield from entries.entries(self.core, place, ENTRIES_SHOWN)),
            traces=(yield from steps.steps(self.core, place, ENTRIES_SHOWN)),
        )

    def offset(self, place: Place, consumer: str) -> Plan[Consumer | None]:
        """Return how far a consumer has come, or None."""
        name = canonical(consumer, "consumer")
        if not (yield from self.core.is_there(place)):
            return None
        found: Consumer | None = yield self.core.views.consumer(
            place.ledger_id, name, tenant=self.core.tenant
        )
        return found

    def advance(
        self, place: Place, consumer: str, sequence: int, state: Any, *, back: bool
    ) -> Plan[bool]:
        """Note that a consumer is done up to a sequence; False if it was further already."""
        name = canonical(consumer, "consumer")
        said: dict[str, Any] = {"consumer": name, "sequence": natural(sequence, "sequence")}
        said |= {} if state is None else {"state": state}
        flag(back, "back")
        fact = self.core.fact("consumer.offset_advanced", said)

        for _ in range(ROUNDS_MAX):
            head, mark = yield from self.core.at_head(place, "consumers", name)
            if not (yield from self.core.is_visible(place)):
                return False
            if sequence > head:
                # Behind what was written since it was read, as a session that has just begun.
                head = yield self.core.ledger.head(place.ledger_id, tenant=self.core.tenant)
                if sequence <= head:
                    continue
                reason = f"expected at most the session's last sequence, {head}, got {sequence}"
                raise InvalidArgument("sequence", reason)
            known = 0 if mark is None else mark.sequence or 0
            if not back and sequence <= known:
                return False
            with suppress(SequenceConflict):
                yield from self.core.append(
                    place.ledger_id, [fact], tenant=self.core.tenant, expected=head
                )
                return True
        raise SessionBusy(place.ledger_id, ROUNDS_MAX)

    def new_entries(
        self, place: Place, consumer: str, limit: int | None
    ) -> Plan[list[SessionQAEntry]]:
        """Return the answers that a consumer has not seen, oldest first."""
        count = list_limit(limit)
        seen = yield from self._seen(place, consumer)
        if not (yield from self.core.is_there(place)):
            return []
        found: list[QAEntry] = yield self.core.views.qa_after(
            place.ledger_id, seen, tenant=self.core.tenant, limit=count
        )
        return [entry_of(one, place) for one in found]

    def new_steps(
        self, place: Place, consumer: str, limit: int | None
    ) -> Plan[list[SessionTraceStep]]:
        """Return the steps that a consumer has not seen, oldest first."""
        count = list_limit(limit)
        seen = yield from self._seen(place, consumer)
        return (yield from steps.steps_after(self.core, place, seen, count))

    def _seen(self, place: Place, consumer: str) -> Plan[int]:
        mark = yield from self.offset(place, consumer)
        return 0 if mark is None else mark.sequence or 0
