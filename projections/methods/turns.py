"""Turns, the transcript, and what was used: readers of Views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from ledger.plans import run

from ..folds.turns import Turn
from ..folds.usage import Usage
from ..readers.arguments import instance
from ..readers.consistency import Consistency
from ..readers.history_places import Moment
from ..readers.listing_queries import moment_bound
from ..readers.transcripts import TranscriptLine
from ..readers.transcripts import transcript as transcript_plan
from ..readers.usage_totals import UsageBy, UsageTotal
from ..readers.usage_totals import usage_totals as totals_plan

if TYPE_CHECKING:
    from ..views import Views


def turn(
    self: Views,
    session_id: str,
    turn_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Turn | None:
    """Return a turn of a session, or None."""
    found: Turn | None = run(
        self._reader.row("turns", (tenant, session_id, turn_id), consistency, as_of)
    )
    return found


def turns(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    limit: int | None = None,
    newest_first: bool = False,
    after: Turn | None = None,
    consistency: Consistency = "strong",
) -> list[Turn]:
    """Return a session's turns in the order in which they began.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all. `after` is the last
    turn of the page before.
    """
    last = None if after is None else instance(after, "after", Turn)
    return run(
        self._reader.listed(
            "turns",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            after=None if last is None else (last.first_sequence, last.turn_id),
        )
    )


def recent_turns(
    self: Views,
    *,
    tenant: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    after: Turn | None = None,
    consistency: Consistency = "strong",
) -> list[Turn]:
    """Return the turns of all sessions of a tenant, the newest first, then by ids backwards.

    From `since` up to and without `until`, by `created_at`. `after` is the last turn of the page
    before.
    """
    last = None if after is None else instance(after, "after", Turn)
    place = None if last is None else (last.created_at, last.session_id, last.turn_id)
    return run(
        self._reader.of_tenant(
            "turns",
            tenant,
            consistency,
            order=("created_at", "session_id", "turn_id"),
            limit=limit,
            newest_first=True,
            after=place,
            at_least=moment_bound("created_at", "since", since),
            below=moment_bound("created_at", "until", until),
        )
    )


def transcript(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    run_id: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[TranscriptLine]:
    """Return the messages of a session or run in order, their tool calls with what became of them.

    Calls that no message asks for are in `traces` alone. `limit` keeps the oldest, or the newest
    with `newest_first`; None is all. Whatever the limit, the whole conversation is read: a call
    and its result may be far apart.
    """
    return run(
        transcript_plan(
            self._reader,
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
        )
    )


def usage(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    consistency: Consistency = "strong",
) -> list[Usage]:
    """Return what a session used, one row per day and model."""
    return run(
        self._reader.rows("usage", (tenant, session_id), consistency, order=("day", "model"))
    )


def usage_totals(
    self: Views,
    by: Sequence[UsageBy] = ("model",),
    *,
    tenant: str = "",
    session_id: str | None = None,
    since: date | None = None,
    until: date | None = None,
    consistency: Consistency = "strong",
) -> list[UsageTotal]:
    """Return what a tenant's sessions, or one of them, used, added up by session, model or day.

    By several at once is their combinations, by none the one total. Days are in UTC, from `since`
    up to and without `until`. Sorted by day if asked by it, then the dearest first. Reads a row
    per session, model and day.
    """
    return run(
        totals_plan(
            self._reader,
            tenant,
            consistency,
            by=by,
            session_id=session_id,
            since=since,
            until=until,
        )
    )
