"""Reading views: your own writes, absence, order, limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Append, InvalidArgument, NewEvent
from tests.support.views import TALLY, counted, views_of

pytestmark = pytest.mark.usefixtures("all_views")

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int, payload: dict[str, Any], type: str, **header: Any) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(minutes=minutes), **header)


def message(content: str, **header: Any) -> NewEvent:
    return NewEvent({"role": "user", "content": content}, "message.appended", **header)


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger)


def test_a_strong_read_sees_what_was_appended_before(ledger: Any, views: Any) -> None:
    for number in range(1, 4):
        ledger.append("s", message("hello"))
        assert views.session("s").message_count == number
        assert len(views.messages("s")) == number


def test_an_eventual_read_answers_from_the_table_as_it_is(ledger: Any, views: Any) -> None:
    ledger.append("s", message("hello"))
    assert views.session("s", consistency="eventual") is None
    views.catch_up()
    assert views.session("s", consistency="eventual").message_count == 1


def test_lists_read_your_writes_in_every_bucket(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=5)
    views = views_of(ledger)
    sessions = {f"s{number}" for number in range(20)}
    ledger.append_many([Append(session_id, [message("x")]) for session_id in sessions])
    assert {session.session_id for session in views.sessions()} == sessions


def test_what_is_missing_is_none_or_an_empty_list(ledger: Any, views: Any) -> None:
    ledger.append("s", message("hello"))
    for session_id in ("s", "nobody"):
        assert views.run(session_id, "r") is None
        assert views.active_run(session_id) is None
        assert views.qa_entry(session_id, "q") is None
        assert (views.runs(session_id), views.qa(session_id)) == ([], [])
    assert views.session("nobody") is None
    assert (views.messages("nobody"), views.traces("nobody")) == ([], [])
    assert views.sessions(tenant="other") == []


def test_tenants_do_not_see_each_other(ledger: Any, views: Any) -> None:
    ledger.append("s", message("a"), tenant="a")
    ledger.append("s", [message("b"), message("b")], tenant="b")
    assert views.session("s") is None
    assert views.session("s", tenant="a").message_count == 1
    assert [session.message_count for session in views.sessions(tenant="b")] == [2]


def test_sessions_come_with_the_newest_activity_first_and_ids_break_ties(
    ledger: Any, views: Any
) -> None:
    for session_id, minutes in [("b", 5), ("é", 7), ("a", 5), ("Z", 5), ("d", 1)]:
        ledger.append(session_id, at(minutes, {}, "thing.happened"))
    ordered = ["é", "b", "a", "Z", "d"]
    assert [session.session_id for session in views.sessions()] == ordered
    paged: list[Any] = []
    while page := views.sessions(limit=2, after=paged[-1] if paged else None):
        paged += page
    assert [session.session_id for session in paged] == ordered


def test_sessions_are_filtered_by_status_agent_and_archive(ledger: Any, views: Any) -> None:
    ledger.append("a", NewEvent({"agent_id": "one"}, "session.created"))
    ledger.append("b", NewEvent({"agent_id": "two", "status": "active"}, "session.created"))
    ledger.append("c", NewEvent({"agent_id": "two"}, "session.created"))
    ledger.append("c", NewEvent({}, "session.archived"))

    def ids(**filters: Any) -> list[str]:
        return sorted(session.session_id for session in views.sessions(**filters))

    assert ids() == ["a", "b"]
    assert ids(archived=True) == ["a", "b", "c"]
    assert ids(agent_id="two", archived=True) == ["b", "c"]
    assert ids(agent_id="two", status="active") == ["b"]
    assert ids(status="nonsense") == []


def test_the_active_run_is_the_newest_that_runs(ledger: Any, views: Any) -> None:
    ledger.append("s", NewEvent({}, "run.created", run_id="waiting"))
    assert views.active_run("s") is None
    for run_id in ("b", "a"):
        ledger.append("s", NewEvent({}, "run.started", run_id=run_id))
    assert views.active_run("s").run_id == "a"
    ledger.append("s", NewEvent({}, "run.finished", run_id="a"))
    assert views.active_run("s").run_id == "b"


def test_runs_keep_their_order_and_limits_keep_an_end_of_it(ledger: Any, views: Any) -> None:
    for run_id in ("c", "a", "b"):
        ledger.append("s", NewEvent({}, "run.started", run_id=run_id))
    ledger.append("s", NewEvent({}, "run.finished", run_id="c"))

    def ids(**options: Any) -> list[str]:
        return [run.run_id for run in views.runs("s", **options)]

    assert ids() == ["c", "a", "b"]
    assert ids(limit=2) == ["c", "a"]
    assert ids(limit=2, newest_first=True) == ["b", "a"]
    assert ids(status="running") == ["a", "b"]
    assert ids(limit=0) == []
    assert views.run("s", "c").status == "completed"


def test_the_last_answers_come_oldest_first(ledger: Any, views: Any) -> None:
    for number in range(4):
        entry = {"qa_id": f"q{number}", "question": "?", "answer": str(number)}
        ledger.append("s", NewEvent(entry, "qa.recorded"))
    assert [entry.answer for entry in views.qa("s")] == ["0", "1", "2", "3"]
    assert [entry.answer for entry in views.qa("s", last_n=2)] == ["2", "3"]
    assert views.qa("s", last_n=0) == []
    assert views.qa_entry("s", "q1").answer == "1"


def test_messages_and_traces_can_be_asked_by_run(ledger: Any, views: Any) -> None:
    for run_id in ("r1", "r2", "r1"):
        ledger.append("s", message(f"in {run_id}", run_id=run_id))
        span = {"span_id": f"span-{ledger.head('s')}", "name": "work"}
        ledger.append("s", NewEvent(span, "span.started", run_id=run_id))
    assert [m.content for m in views.messages("s", run_id="r1")] == ["in r1", "in r1"]
    assert [m.content for m in views.messages("s", limit=1, newest_first=True)] == ["in r1"]
    assert len(views.traces("s", run_id="r2")) == 1
    assert len(views.traces("s")) == 3


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda views: views.sessions(limit=-1), "limit"),
        (lambda views: views.sessions(limit=10_001), "limit"),
        (lambda views: views.sessions(status=1), "status"),
        (lambda views: views.runs("s", limit=-1), "limit"),
        (lambda views: views.runs("s", limit=True), "limit"),
        (lambda views: views.qa("s", last_n=-1), "last_n"),
        (lambda views: views.messages("s", run_id=1), "run_id"),
        (lambda views: views.run("s", None), "run_id"),
        (lambda views: views.session("s", consistency="weak"), "consistency"),
        (lambda views: views.rows("nothing", "s"), "projection"),
        (lambda views: views.row("runs", ("", "s")), "key"),
        (lambda views: views.catch_up(64), "bucket"),
        (lambda views: views.catch_up(-1), "bucket"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_by_name(
    views: Any, call: Any, argument: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        call(views)
    assert caught.value.argument == argument


def test_projections_of_ones_own_are_read_by_key_and_by_session(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", [counted("b"), counted("a"), counted("b")])
    assert [(row.name, row.count) for row in views.rows("tally", "s")] == [("a", 1), ("b", 2)]
    assert [row.name for row in views.rows("tally", "s", limit=1)] == ["a"]
    assert views.row("tally", ("", "s", "b")).sequences == [1, 3]
    assert views.row("tally", ("", "s", "c")) is None
