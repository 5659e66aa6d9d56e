"""Time travel: a view as it was is the fold of what its session held then."""

import inspect
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import InvalidArgument, NewEvent
from projections import (
    MESSAGES,
    RUNS,
    SESSIONS,
    USAGE,
    Difference,
    Projection,
    ProjectionFailed,
    Views,
)
from projections.engine import row_snapshots
from tests.support.builders import notes
from tests.support.views import TALLY, counted, dropped, folded, tally, tally_apply, views_of

pytestmark = pytest.mark.usefixtures("all_views")

FOLDED = (SESSIONS, RUNS, MESSAGES, USAGE, TALLY)
_tenants = itertools.count()


def happened(kind: str, number: int) -> NewEvent:
    run = {"run_id": f"r{number % 2}"}
    message = {"role": "user", "content": f"m{number}", "message_id": f"m{number % 3}"}
    return {
        "note": lambda: NewEvent({"n": number}, "note"),
        "count": lambda: counted("xyz"[number % 3]),
        "count_all": lambda: counted("xyz"),
        "drop": lambda: dropped("xyz"[number % 3]),
        "created": lambda: NewEvent({"agent_id": "a", "label": "l"}, "session.created"),
        "started": lambda: NewEvent({"input": {"n": number}}, "run.started", **run),
        "finished": lambda: NewEvent({"output": [number]}, "run.finished", **run),
        "message": lambda: NewEvent(message, "message.appended", **run),
        "usage": lambda: NewEvent({"model": "ab"[number % 2], "cost_usd": 0.1}, "usage.recorded"),
    }[kind]()


KINDS = ("note", "count", "count_all", "drop", "created", "started", "finished", "message", "usage")
HISTORIES = st.lists(st.sampled_from((*KINDS, "delete")), min_size=1, max_size=24)


def written(ledger: Any, kinds: list[str], tenant: str) -> None:
    for number, kind in enumerate(kinds):
        if kind == "delete":
            ledger.delete("s", tenant=tenant)
        else:
            ledger.append("s", happened(kind, number), tenant=tenant)


def shown(rows: dict[tuple[str, ...], Any]) -> dict[tuple[str, ...], Any]:
    """Leave out what readers leave out."""
    return {k: v for k, v in rows.items() if getattr(v, "missing_since", None) is None}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots so close together that short histories have several."""
    monkeypatch.setattr(row_snapshots, "SNAPSHOT_EVENTS", 4)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kinds=HISTORIES, random=st.randoms(use_true_random=False))
@pytest.mark.usefixtures("few")
def test_every_moment_of_every_row_is_the_fold_of_what_came_before(
    ledger: Any, kinds: list[str], random: Any
) -> None:
    views = views_of(ledger, *FOLDED)
    tenant = f"t{next(_tenants)}"
    written(ledger, kinds, tenant)
    events = ledger.read("s", tenant=tenant, deleted=True)
    visible = [event.sequence for event in ledger.read("s", tenant=tenant)]
    for projection in FOLDED:
        past = [shown(folded(projection, events[:n])) for n in range(len(events) + 1)]
        keys = {key for rows in past for key in rows} | {
            (tenant, "s", *("nothing" for _ in projection.key[2:]))
        }
        moments = list(range(len(past))) * 2
        random.shuffle(moments)
        for n in moments:
            alive = past[n] if n in visible else {}
            for key in keys:
                found = views.row(projection.name, key, as_of=n)
                assert found == alive.get(key), (key, n)
            assert views.rows(projection.name, "s", tenant=tenant, as_of=n) == [
                alive[key] for key in sorted(alive)
            ]
        for n in range(len(past)):
            audited = views.rows(projection.name, "s", tenant=tenant, as_of=n, deleted=True)
            assert audited == [past[n][key] for key in sorted(past[n])]
            for key in keys:
                found = views.row(projection.name, key, as_of=n, deleted=True)
                assert found == past[n].get(key), (key, n)


@pytest.mark.usefixtures("few")
def test_at_the_head_it_is_what_the_live_view_says(ledger: Any) -> None:
    views = views_of(ledger)
    written(ledger, [*KINDS, *KINDS], "")
    head = ledger.head("s")
    for _ in range(2):
        assert views.session("s", as_of=head) == views.session("s")
        assert views.run("s", "r0", as_of=head) == views.run("s", "r0")
        assert views.rows("messages", "s", as_of=head) == views.rows("messages", "s")
        assert views.rows("usage", "s", as_of=head, limit=1) == views.rows("usage", "s", limit=1)


def test_it_asks_the_log_and_not_the_table(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    views = views_of(ledger)
    assert views.session("s", as_of=2).event_count == 2
    assert views.session("s", consistency="eventual") is None


def test_tenants_have_a_past_of_their_own(ledger: Any) -> None:
    ledger.append("s", notes("ab"), tenant="a")
    ledger.append("s", notes("abc"), tenant="b")
    views = views_of(ledger)
    assert views.session("s", tenant="a", as_of=2).event_count == 2
    assert views.session("s", tenant="b", as_of=3).event_count == 3
    with pytest.raises(InvalidArgument):
        views.session("s", tenant="a", as_of=3)


def test_a_fork_has_the_past_of_its_own_events(ledger: Any) -> None:
    ledger.append("p", [NewEvent({"agent_id": "a"}, "session.created"), *notes("abc")])
    ledger.fork("p", 3, "f")
    ledger.append("f", notes("xy"))
    views = views_of(ledger)
    forked = views.session("f", as_of=2)
    assert (forked.forked_from, forked.event_count) == ("p", 2)
    assert forked.agent_id is None
    assert views.session("f", as_of=3) == views.session("f")


#: One row, but not found by its key: which one it is may change with the moment.
FOUND_OTHERWISE = {"active_run", "artifact_by_key", "find_run"}


def test_every_reader_of_a_row_by_its_key_takes_a_moment() -> None:
    readers = {
        name: inspect.signature(reader).parameters
        for name, reader in vars(Views).items()
        if inspect.isfunction(reader) and str(reader.__annotations__["return"]).endswith("| None")
    }
    assert {"session", "run", "qa_entry", "turn"} <= set(readers)
    without = {name for name, parameters in readers.items() if "as_of" not in parameters}
    assert without <= FOUND_OTHERWISE


# Time.


def test_a_time_is_the_stores_and_takes_in_all_that_was_stored_by_then(ledger: Any) -> None:
    for text in ("ab", "cde", "f"):
        ledger.append("s", notes(text, occurred_at=datetime(1999, 1, 1, tzinfo=UTC)))
    views = views_of(ledger)
    events = ledger.read("s")
    for event in events:
        stored_by_then = [e for e in events if e.recorded_us <= event.recorded_us]
        found = views.session("s", as_of=event.recorded_at)
        assert found.last_sequence == stored_by_then[-1].sequence
    # One batch has one time.
    assert events[2].recorded_us == events[4].recorded_us
    assert views.session("s", as_of=events[2].recorded_at).last_sequence >= 5
    first = events[0].recorded_at
    assert views.session("s", as_of=first - timedelta(microseconds=1)) is None
    assert views.session("s", as_of=datetime(2999, 1, 1, tzinfo=UTC)) == views.session("s")
    assert views.session("nobody", as_of=datetime(2999, 1, 1, tzinfo=UTC)) is None


def test_a_time_before_a_deletion_shows_nothing_unless_it_is_asked_for(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    ledger.delete("s")
    ledger.append("s", notes("c"))
    views = views_of(ledger)
    second = ledger.read("s", deleted=True)[1]
    assert views.row("sessions", ("", "s"), as_of=second.recorded_at, deleted=True) is not None
    assert views.session("s", as_of=2) is None
    assert views.session("s", as_of=3) is None
    assert views.row("sessions", ("", "s"), as_of=2, deleted=True).event_count == 2
    assert views.row("sessions", ("", "s"), as_of=3, deleted=True) is None
    again = views.session("s", as_of=4)
    assert (again.first_sequence, again.event_count) == (4, 1)


# What makes no sense.


@pytest.mark.parametrize("as_of", [-1, 3, 2**63, True, 1.0, "1", datetime(2026, 1, 1), (1,)])
def test_a_moment_that_is_none_is_refused(ledger: Any, as_of: Any) -> None:
    ledger.append("s", notes("ab"))
    views = views_of(ledger)
    for argument, ask in (
        ("as_of", lambda: views.session("s", as_of=as_of)),
        ("as_of", lambda: views.rows("runs", "s", as_of=as_of)),
        ("after", lambda: views.diff("sessions", ("", "s"), 1, as_of)),
        ("before", lambda: views.diff("sessions", ("", "s"), as_of, 1)),
    ):
        with pytest.raises(InvalidArgument) as caught:
            ask()
        assert caught.value.argument == argument


def test_before_the_first_event_there_was_nothing(ledger: Any) -> None:
    views = views_of(ledger)
    assert views.session("nobody", as_of=0) is None
    ledger.append("s", notes("a"))
    assert views.session("s", as_of=0) is None
    assert views.rows("sessions", "s", as_of=0) == []
    assert views.run("s", "nobody", as_of=1) is None


def test_what_was_deleted_is_only_in_the_past(ledger: Any) -> None:
    views = views_of(ledger)
    for ask in (
        lambda: views.row("sessions", ("", "s"), deleted=True),
        lambda: views.rows("sessions", "s", deleted=True),
    ):
        with pytest.raises(InvalidArgument) as caught:
            ask()
        assert caught.value.argument == "deleted"


def test_only_views_of_sessions_have_a_past(ledger: Any) -> None:
    class Total(msgspec.Struct, frozen=True):
        tenant: str
        type: str
        count: int = 0

    totals = Projection(
        name="totals",
        version=1,
        view=Total,
        key=("tenant", "type"),
        keys=lambda event: [(event.tenant, event.type)],
        apply=lambda view, event: Total(event.tenant, event.type, view.count + 1 if view else 1),
    )
    views = views_of(ledger, totals)
    ledger.append("s", notes("a"))
    for ask in (
        lambda: views.row("totals", ("", "note"), as_of=1),
        lambda: views.rows("totals", "s", as_of=1),
        lambda: views.diff("totals", ("", "note"), 0, 1),
    ):
        with pytest.raises(InvalidArgument) as caught:
            ask()
        assert caught.value.argument == "projection"


def test_a_fold_that_fails_hides_only_what_comes_behind(ledger: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        if event.sequence == 3:
            raise RuntimeError("no")
        return tally_apply(view, event)

    ledger.append("s", [counted("a"), counted("a"), counted("a"), counted("a")])
    views = views_of(ledger, tally(apply=apply))
    key = ("", "s", "a")
    assert views.row("tally", key, as_of=2).count == 2
    for ask in (
        lambda: views.row("tally", key, as_of=4),
        lambda: views.rows("tally", "s", as_of=3),
    ):
        with pytest.raises(ProjectionFailed) as caught:
            ask()
        assert (caught.value.projection, caught.value.position) == ("tally", 3)


# Differences.


def test_a_difference_names_the_fields_that_changed(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", [counted("a"), counted("a"), counted("b"), dropped("a")])
    key = ("", "s", "a")
    assert views.diff("tally", key, 1, 2) == [
        Difference(("a",), "count", 1, 2),
        Difference(("a",), "sequences", [1], [1, 2]),
    ]
    assert views.diff("tally", key, 2, 1) == [
        Difference(("a",), "count", 2, 1),
        Difference(("a",), "sequences", [1, 2], [1]),
    ]
    assert views.diff("tally", key, 2, 3) == []


def test_a_difference_goes_over_all_rows_of_a_session(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", [counted("a"), counted("b"), dropped("a")])
    assert views.diff("tally", ("", "s"), 1, 3) == [
        Difference(("a",), "count", 1, None),
        Difference(("a",), "sequences", [1], None),
        Difference(("b",), "count", None, 1),
        Difference(("b",), "sequences", None, [2]),
    ]
    ledger.delete("s")
    assert views.diff("tally", ("", "s"), 0, 1) == []
    assert len(views.diff("tally", ("", "s"), 0, 1, deleted=True)) == 2


def test_a_difference_needs_a_key(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for key in ((), ("",), ("", "s", "a", "b"), ("", "s", 1)):
        with pytest.raises(InvalidArgument):
            views.diff("tally", key, 0, 0)
