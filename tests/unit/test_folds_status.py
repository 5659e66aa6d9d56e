"""The status of sessions and runs: what follows what, every from and every to, as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from ledger.catalogue import (
    Fact,
    MessageAppended,
    RunAmended,
    RunCancelled,
    RunCreated,
    RunFailed,
    RunFinished,
    RunStarted,
    RunTimedOut,
    SessionClosed,
    SessionCreated,
    SessionStatus,
    SessionStatusChanged,
)
from projections import RUNS, SESSIONS
from projections.folds.session_status import ABANDONABLE, TERMINAL, TRANSITIONS
from tests.support.folds import NOON, at, events_of, only

# A line is where a session stands, a column where it is told to go:
# y it goes there, n it goes there and that is an anomaly, . it stays and that is an anomaly.
SESSION_TABLE = """
              pending active idle processing interrupted paused completed failed cancelled closed
pending       y       y      y    y          n           n      n         y      y         y
active        n       y      y    y          y           y      y         y      y         y
idle          n       y      y    y          y           y      y         y      y         y
processing    n       y      y    y          y           y      y         y      y         y
interrupted   n       y      y    y          y           y      y         y      y         y
paused        n       y      n    y          n           y      y         y      y         y
completed     .       .      .    .          .           .      .         .      .         .
failed        .       .      .    .          .           .      .         .      .         .
cancelled     .       .      .    .          .           .      .         .      .         .
closed        .       .      .    .          .           .      .         .      .         .
"""
# As above; f is the same status again, which only fills in what is empty and is an anomaly.
RUN_TABLE = """
              created started finished failed cancelled timed_out
pending       f       y       n        y      y         y
running       f       f       y        y      y         y
completed     f       .       .        .      .         .
failed        f       .       .        .      .         .
cancelled     f       .       .        .      .         .
timeout       f       .       .        .      .         .
"""
RUN_FACTS: dict[str, tuple[Fact, str]] = {
    "created": (RunCreated(), "pending"),
    "started": (RunStarted(), "running"),
    "finished": (RunFinished(), "completed"),
    "failed": (RunFailed(), "failed"),
    "cancelled": (RunCancelled(), "cancelled"),
    "timed_out": (RunTimedOut(), "timeout"),
}


def cells(table: str) -> list[tuple[str, str, str]]:
    columns, *lines = [line.split() for line in table.strip().splitlines()]
    return [
        (before, after, mark)
        for before, *marks in lines
        for after, mark in zip(columns, marks, strict=True)
    ]


def test_the_table_is_of_all_statuses_and_is_the_one_in_the_fold() -> None:
    statuses = set(get_args(SessionStatus))
    assert {(before, after) for before, after, _ in cells(SESSION_TABLE)} == {
        (before, after) for before in statuses for after in statuses
    }
    foreseen: dict[str, set[str]] = {}
    for before, after, mark in cells(SESSION_TABLE):
        if mark == "y" and before != after:
            foreseen.setdefault(before, set()).add(after)
    assert {before: set(after) - {before} for before, after in TRANSITIONS.items()} == foreseen
    assert set(TRANSITIONS) | TERMINAL == statuses


@pytest.mark.parametrize(("before", "after", "mark"), cells(SESSION_TABLE))
def test_a_session_goes_from_here_to_there(before: Any, after: Any, mark: str) -> None:
    told = SessionStatusChanged(status=after, reason="so")
    session = only(SESSIONS, events_of(SessionCreated(status=before), told))
    assert session.status == (before if mark == "." else after)
    assert session.anomaly_count == (mark != "y")
    ended = before in TERMINAL or after in TERMINAL
    assert session.ended_at == ((at(1) if before in TERMINAL else at(2)) if ended else None)
    assert session.status_reason == (None if mark == "." else "so")


@pytest.mark.parametrize("before", get_args(SessionStatus))
def test_closing_is_going_to_closed(before: Any) -> None:
    created = SessionCreated(status=before)
    closed = only(SESSIONS, events_of(created, SessionClosed()))
    told = only(SESSIONS, events_of(created, SessionStatusChanged(status="closed")))
    assert (closed.status, closed.ended_at, closed.anomaly_count) == (
        *(told.status, told.ended_at),
        told.anomaly_count,
    )


@pytest.mark.parametrize(("before", "after", "mark"), cells(RUN_TABLE))
def test_a_run_goes_from_here_to_there(before: str, after: str, mark: str) -> None:
    ways = {status: fact for fact, status in RUN_FACTS.values()}
    way = [ways[before]]
    if before not in ("pending", "running"):
        way = [RunStarted(), *way]
    fact, status = RUN_FACTS[after]
    run = only(RUNS, events_of(*way, fact, run_id="r"))
    assert run.status == (before if mark in ".f" else status)
    assert run.anomaly_count == (mark != "y")
    if before in ("pending", "running"):
        assert run.ended_at == (None if mark == "f" or after == "started" else at(len(way) + 1))
    else:
        assert run.ended_at == at(2)


@pytest.mark.parametrize("status", get_args(SessionStatus))
def test_only_a_live_session_can_be_abandoned(status: Any) -> None:
    session = only(SESSIONS, events_of(SessionCreated(status=status)))
    week = session.last_activity_at + timedelta(days=7)
    assert session.status_at(week) == ("abandoned" if status in ABANDONABLE else status)
    assert session.status == status


def test_a_session_is_abandoned_after_half_an_hour_or_as_said() -> None:
    session = only(SESSIONS, events_of(SessionCreated(status="active")))
    last = session.last_activity_at
    second = timedelta(seconds=1)
    assert session.status_at(last + 1_800 * second) == "active"
    assert session.status_at(last + 1_801 * second) == "abandoned"
    assert session.status_at(last + 61 * second, abandoned_after_s=60) == "abandoned"
    assert session.status_at(NOON - 9_999 * second) == "active"


def test_a_status_that_reopens_a_session_undoes_its_end_and_is_noted() -> None:
    facts = [
        SessionCreated(status="completed"),
        SessionStatusChanged(status="active", reopens=True),
    ]
    session = only(SESSIONS, events_of(*facts))
    assert (session.status, session.ended_at, session.anomaly_count) == ("active", None, 1)


def test_a_record_without_rules_sets_the_status_of_a_run() -> None:
    facts = [RunStarted(), RunFinished(), RunAmended(status="pending")]
    run = only(RUNS, events_of(*facts, run_id="r"))
    assert (run.status, run.created_sequence, run.anomaly_count) == ("pending", 1, 0)


def test_events_of_a_run_do_not_create_it() -> None:
    run = only(RUNS, events_of(MessageAppended(role="user"), run_id="r"))
    assert (run.status, run.created_sequence) == ("pending", None)
