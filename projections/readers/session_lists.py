"""Finding sessions by what they are, and what became of many of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

import msgspec

from ledger import InvalidArgument
from ledger.plans import Plan
from ledger.refusals import shown

from ..backends.row_queries import RowQuery
from ..backends.totals import Totals, TotalsQuery
from ..engine.dropping import outlives_drops
from ..engine.tables import Row
from ..folds.session_status import ABANDONABLE, ABANDONED, ABANDONED_AFTER_S
from ..folds.sessions import SESSIONS, Session
from ..folds.sums import NANO_USD
from .arguments import flag, instance, moment, one_of, seconds
from .consistency import Consistency, strong
from .found_rows import found_rows
from .listing_cursors import ListCursors, ViewPage
from .listing_queries import (
    Statuses,
    members,
    moment_bound,
    page_limit,
    statuses,
    tenant_query,
)
from .owned_sessions import by_prefix, check_prefix, each_once
from .reading import Reader

SessionOrder = Literal[
    "last_activity_at", "created_at", "cost_nano_usd", "input_tokens", "output_tokens"
]
_MOMENTS = ("last_activity_at", "created_at")
_ORDERS = ("last_activity_at", "created_at", "cost_nano_usd", "input_tokens", "output_tokens")


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of sessions, added up. `status_counts` counts abandoned ones as such.

    `duration_us` adds up, in microseconds, how long each lasted: from its first fact to its end,
    or to its last activity. Cost is in billionths of a US dollar.
    """

    session_count: int = 0
    status_counts: dict[str, int] = msgspec.field(default_factory=dict)
    run_count: int = 0
    turn_count: int = 0
    message_count: int = 0
    error_count: int = 0
    anomaly_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost_nano_usd: int = 0
    duration_us: int = 0

    @property
    def cost_usd(self) -> float:
        """The cost of all usage whose price is known, in US dollars."""
        return self.cost_nano_usd / NANO_USD

    @property
    def success_rate(self) -> float:
        """The completed among the completed, failed and abandoned; 1.0 when there are none."""
        counts = [self.status_counts.get(one, 0) for one in ("completed", "failed", ABANDONED)]
        return counts[0] / sum(counts) if sum(counts) else 1.0


_SUMS = (
    *("run_count", "turn_count", "message_count", "error_count", "anomaly_count"),
    *("input_tokens", "output_tokens", "total_tokens", "cost_nano_usd"),
)


class SessionFilters(TypedDict, total=False):
    """What sessions are found by; all of them must hold, and those that are None say nothing.

    A session has one of several statuses. `since` is included and `until` is not, both by last
    activity. A session has all the `tags` and all the `labels`. Archived ones are left out unless
    `archived`.
    """

    status: Statuses | None
    agent_id: str | None
    owner_id: str | None
    channel: str | None
    user_channel_id: str | None
    customer_profile_id: str | None
    interlocutor_id: str | None
    external_id: str | None
    dataset_id: str | None
    parent_session_id: str | None
    tags: Sequence[str]
    labels: Mapping[str, str] | None
    archived: bool
    since: datetime | None
    until: datetime | None
    abandoned_after_s: float | None
    now: datetime | None


def session_query(
    reader: Reader,
    tenant: str,
    *,
    status: Statuses | None = None,
    agent_id: str | None = None,
    owner_id: str | None = None,
    channel: str | None = None,
    user_channel_id: str | None = None,
    customer_profile_id: str | None = None,
    interlocutor_id: str | None = None,
    external_id: str | None = None,
    dataset_id: str | None = None,
    parent_session_id: str | None = None,
    tags: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    archived: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    abandoned_after_s: float | None = None,
    now: datetime | None = None,
) -> RowQuery:
    """Return the query for sessions, without an order; "abandoned" stands for several statuses."""
    flag(archived, "archived")
    moment(now, "now")
    at_least = moment_bound("last_activity_at", "since", since)
    below = moment_bound("last_activity_at", "until", until)
    wanted = statuses(status)
    if ABANDONED in wanted and len(wanted) > 1:
        raise InvalidArgument("status", f"{ABANDONED} is asked for alone")
    if ABANDONED in wanted and abandoned_after_s is None:
        abandoned_after_s = ABANDONED_AFTER_S
    if abandoned_after_s is not None:
        last = _last(now, abandoned_after_s)
        if ABANDONED in wanted:
            status = sorted(ABANDONABLE)
            below = (("last_activity_at", last if until is None else min(last, until)),)
        elif wanted and ABANDONABLE.issuperset(wanted):
            at_least = (("last_activity_at", last if since is None else max(last, since)),)
        elif not ABANDONABLE.isdisjoint(wanted):
            raise InvalidArgument(
                "status", "with abandoned_after_s, some that can be abandoned and some that cannot"
            )
    return tenant_query(
        reader.table(SESSIONS.name),
        reader.tenant(tenant),
        absent=() if archived else ("archived_at",),
        at_least=at_least,
        below=below,
        words=members(tenant, {"tags": tags}, {"labels": {} if labels is None else labels}),
        status=status,
        agent_id=agent_id,
        owner_id=owner_id,
        channel=channel,
        user_channel_id=user_channel_id,
        customer_profile_id=customer_profile_id,
        interlocutor_id=interlocutor_id,
        external_id=external_id,
        dataset_id=dataset_id,
        parent_session_id=parent_session_id,
    )


@outlives_drops
def sessions(
    reader: Reader,
    query: RowQuery,
    consistency: Consistency,
    *,
    order_by: SessionOrder,
    descending: bool,
    limit: int | None,
    after: Row | None,
) -> Plan[list[Session]]:
    """Return the sessions of a query in an order, then by id."""
    strong(consistency)
    flag(descending, "descending")
    one_of(order_by, "order_by", _ORDERS)
    query = msgspec.structs.replace(
        query,
        order=(order_by, "session_id"),
        descending=descending,
        limit=limit,
        after=after,
    )
    if not query.words:
        return (yield from reader.answer(query, consistency))
    [table] = yield from reader.settle([query.table], None, consistency)
    found: list[Session] = yield from found_rows(
        reader, msgspec.structs.replace(query, table=table)
    )
    return found


def sessions_page(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    order_by: SessionOrder,
    descending: bool,
    limit: int,
    cursor: str | None,
    owner_prefix: str | None = None,
    filters: SessionFilters,
) -> Plan[ViewPage[Session]]:
    """Return a page of sessions. What is abandoned is decided at the moment of the first page."""
    strong(consistency)
    flag(descending, "descending")
    one_of(order_by, "order_by", _ORDERS)
    count = page_limit(limit)
    asked: dict[str, Any] = {**filters}
    session_query(reader, tenant, **filters)  # what cannot be asked for is not in a cursor either
    if type(asked.get("status")) is not str and asked.get("status") is not None:
        asked["status"] = statuses(asked["status"])
    # A cursor's encoder knows lists and dicts; a sequence or a mapping of another class becomes one.
    for name, kind in (("tags", list), ("labels", dict)):
        if asked.get(name) is not None:
            asked[name] = kind(asked[name])
    check_prefix(owner_prefix, asked.get("owner_id"))
    prefixed = {} if owner_prefix is None else {"owner_prefix": owner_prefix}
    cursors = ListCursors(
        reader.ledger_id, "sessions", (tenant, order_by, descending, asked | prefixed)
    )
    value: Any = datetime if order_by in _MOMENTS else int
    found = cursors.place(cursor, tuple[value, str, datetime, bool])
    behind, now = (None, _moment(asked.get("now"))) if found is None else (found[:2], found[2])
    asked["now"] = now
    queries = [session_query(reader, tenant, **asked)]
    if owner_prefix is not None and (found is None or found[3]):
        of_all = session_query(reader, tenant, **asked | {"owner_id": None})
        # Before the others: who is said to be the owner between the two is then found twice, not never.
        queries.insert(0, by_prefix(of_all, owner_prefix, asked["owner_id"], reader.buckets))
    read: list[list[Session]] = []
    for query in queries:
        rows = yield from sessions(
            reader,
            query,
            consistency,
            order_by=order_by,
            descending=descending,
            limit=count + 1 if count else 0,
            after=behind,
        )
        read.append(rows)
    by = place(order_by)
    rows = sorted(each_once(*read), key=by, reverse=descending) if len(read) > 1 else read[0]
    # Once there are no more of them nothing is asked for them again: of most users there is none.
    more = len(read) > 1 and not {row.session_id for row in read[0]}.issubset(
        row.session_id for row in rows[:count]
    )
    return cursors.page(rows, count, cursor, lambda row: (*by(row), now, more))


def place_behind(order_by: SessionOrder, after: Session | None) -> Row | None:
    """Return the place of the last session of the page before."""
    one_of(order_by, "order_by", _ORDERS)
    return None if after is None else place(order_by)(instance(after, "after", Session))


def place(order_by: SessionOrder) -> Callable[[Session], tuple[Any, str]]:
    """Return what tells a session's place in an order."""
    return lambda row: (getattr(row, order_by), row.session_id)


@outlives_drops
def session_stats(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    abandoned_after_s: float,
    now: datetime | None,
    **filters: Any,
) -> Plan[SessionStats]:
    """Have the database add up all sessions that a filter lets pass."""
    strong(consistency)
    wanted = TotalsQuery(
        rows=session_query(reader, tenant, archived=True, **filters),
        by="status",
        before=("last_activity_at", _last(now, abandoned_after_s)),
        sums=_SUMS,
        lasting=("created_at", "ended_at", "last_activity_at"),
    )
    return added_up((yield from reader.totals(wanted, consistency)))


def added_up(found: Iterable[Totals]) -> SessionStats:
    """Return the sums over sessions, those that are abandoned counted as such. Pure."""
    found = list(found)
    counts: dict[str, int] = {}
    for one in found:
        status = ABANDONED if one.is_before and one.by in ABANDONABLE else one.by
        counts[status] = counts.get(status, 0) + one.row_count
    sums = (sum(values) for values in zip(*(one.sums for one in found), strict=True))
    return SessionStats(
        session_count=sum(one.row_count for one in found),
        status_counts=dict(sorted(counts.items())),
        duration_us=sum(one.lasting_us for one in found),
        **dict(zip(_SUMS, sums, strict=bool(found))),
    )


def _moment(now: datetime | None) -> datetime:
    return moment(now, "now") or _clock()


def _clock() -> datetime:
    return datetime.now(UTC)


def _last(now: datetime | None, abandoned_after_s: float) -> datetime:
    seconds(abandoned_after_s, "abandoned_after_s")
    try:
        return _moment(now) - timedelta(seconds=abandoned_after_s)
    except OverflowError as error:
        raise InvalidArgument(
            "abandoned_after_s", f"{shown(abandoned_after_s)} is too long"
        ) from error
