"""What the view of usage says after given facts, and what its rows add up to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.catalogue import SessionClosed, UsageRecorded
from projections.folds.sums import OTHER_KINDS, OTHER_KINDS_MAX
from projections.folds.usage import USAGE, Usage
from projections.readers.usage_totals import UsageBy, added_up
from tests.support.folds import NOON, at, event_of, events_of, facts, fold, only


def test_increments_add_up_per_model_and_day() -> None:
    first = UsageRecorded(model="m", provider="p", input_tokens=3, cost_usd=0.5)
    second = UsageRecorded(model="m", input_tokens=4, errored=True, other_tokens={"audio": 2})
    assert only(USAGE, events_of(first, second)) == Usage(
        tenant="t",
        session_id="s",
        model="m",
        day="2024-05-15",
        first_sequence=1,
        last_sequence=2,
        position=102,
        provider="p",
        usage_count=2,
        unpriced_count=1,
        error_count=1,
        input_tokens=7,
        other_tokens={"audio": 2},
        cost_nano_usd=500_000_000,
        created_at=at(1),
        updated_at=at(2),
    )
    tomorrow = event_of(second, 3, occurred_at=NOON + timedelta(hours=12))
    unnamed = event_of(UsageRecorded(), 4)
    rows = fold(USAGE, [*events_of(first), tomorrow, unnamed])
    assert [key[2:] for key in rows] == [
        ("m", "2024-05-15"),
        ("m", "2024-05-16"),
        ("", "2024-05-15"),
    ]


def test_late_usage_is_counted() -> None:
    late = [UsageRecorded(input_tokens=1), SessionClosed(), UsageRecorded(input_tokens=1)]
    assert only(USAGE, events_of(*late)).input_tokens == 2


def test_kinds_beyond_the_first_share_a_sum() -> None:
    many = UsageRecorded(other_tokens={f"k{n}": 1 for n in range(OTHER_KINDS_MAX + 5)})
    row = only(USAGE, events_of(many))
    assert len(row.other_tokens) == OTHER_KINDS_MAX + 1
    assert row.other_tokens[OTHER_KINDS] == 5


@pytest.mark.parametrize(
    "by", [(), ("session",), ("model",), ("day",), ("session", "model", "day")]
)
@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(
        st.tuples(facts([UsageRecorded]), st.sampled_from(["s1", "s2"]), st.integers(-2, 2)),
        min_size=1,
        max_size=12,
    )
)
def test_totals_are_the_sum_of_what_was_recorded(
    by: tuple[UsageBy, ...], said: list[tuple[Any, str, int]]
) -> None:
    events = [
        event_of(fact, n, session_id=session_id, occurred_at=NOON + timedelta(days=days))
        for n, (fact, session_id, days) in enumerate(said, 1)
    ]
    totals = added_up(list(fold(USAGE, events).values()), by)
    names = ("input_tokens", "output_tokens", "total_tokens", "reasoning_tokens")
    for name in names:
        recorded = sum(event.data.get(name, 0) for event in events)
        assert sum(getattr(total, name) for total in totals) == recorded
    recorded = sum(round((event.data.get("cost_usd") or 0) * 1e9) for event in events)
    assert sum(total.cost_nano_usd for total in totals) == recorded
    assert sum(total.usage_count for total in totals) == len(events)
    groups = {
        tuple(
            {
                "session": event.session_id,
                "model": event.data.get("model") or "",
                "day": event.occurred_at.date().isoformat(),
            }[one]
            for one in by
        )
        for event in events
    }
    assert len(totals) == len(groups)
    if by == ("model",):
        assert totals == sorted(totals, key=lambda one: (-one.cost_nano_usd, one.model))
