"""A read that has a few events to fold takes a few round trips, whoever waits for whom."""

from typing import Any

import psycopg
import pytest

from ledger import Ledger, NewEvent
from ledger.catalogue import MessageAppended
from projections import Views
from projections.backends.base import AHEAD_EVENTS_MAX
from projections.backends.postgres.backend import PostgresViews
from tests.support.builders import DEADLINE_S, background, eventually, on_postgres, only_sync
from tests.support.views import TALLY, counted, views_of

KEY = ("", "s", "x")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements on views that are sent from now on, each in a round trip of its own."""
    found: list[str] = []

    def watched(kind: Any) -> Any:
        execute = kind.execute

        def note(self: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
            if b"view_" in statement:
                found.append(statement.decode())
            return execute(self, statement, *args, **kwargs)

        return note

    def refuse(self: Any) -> Any:
        raise AssertionError("a pipeline holds several statements")

    for kind in (psycopg.Connection, psycopg.AsyncConnection):
        monkeypatch.setattr(kind, "execute", watched(kind))
        monkeypatch.setattr(kind, "pipeline", refuse)
    return found


@on_postgres
def test_what_one_append_leaves_to_fold_takes_two_round_trips(
    ledger: Any, request: pytest.FixtureRequest
) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    assert views.row("tally", KEY).count == 1
    sent = request.getfixturevalue("sent")
    for count in (2, 3, 4):
        ledger.append("s", counted())
        assert views.row("tally", KEY).count == count
        assert len(sent) == 2, sent
        sent.clear()
    for _ in range(2):
        assert views.row("tally", KEY).count == 4
        assert len(sent) == 1, sent
        sent.clear()


@on_postgres
def test_who_reads_ahead_folds_now_and_then(ledger: Any, request: pytest.FixtureRequest) -> None:
    ledger.append("s", counted())
    # Who asks for the first time has nothing to go on from.
    counts = range(2, 2 * AHEAD_EVENTS_MAX + 4)
    first = [views_of(ledger, TALLY) for _ in counts]
    assert {one.row("tally", KEY).count for one in first} == {1}
    sent = request.getfixturevalue("sent")
    taken = []
    for count, one in zip(counts, first, strict=True):
        ledger.append("s", counted())
        assert one.row_at_head("tally", KEY).view.count == count
        taken.append(len(sent))
        sent.clear()
    # Of those that take more one is to see how far behind it is, and one to see the end again; who
    # has not folded before stores what is left in two pages.
    assert taken == [*([1] * AHEAD_EVENTS_MAX), 5] * 2
    assert one.row_at_head("tally", KEY).view.count == count
    sent.clear()
    for more in range(1, 2 * AHEAD_EVENTS_MAX):
        ledger.append("s", counted())
        assert one.row_at_head("tally", KEY).view.count == count + more
        assert len(sent) == 1, sent
        sent.clear()


@on_postgres
def test_in_several_views_it_takes_three(ledger: Any, request: pytest.FixtureRequest) -> None:
    views = views_of(ledger)
    ledger.append("s", MessageAppended(role="user", content="0"))
    assert views.session("s").message_count == 1
    sent = request.getfixturevalue("sent")
    for count in (2, 3, 4):
        said = [MessageAppended(role="user", content=str(count))]
        ledger.append("s", [*said, NewEvent({"label": str(count)}, "session.labelled")])
        assert views.session("s").label == str(count)
        assert len(sent) == 3, sent
        sent.clear()
    ledger.append("s", MessageAppended(role="user", content="5"))
    assert [message.content for message in views.messages("s")][-1] == "5"
    assert len(sent) == 4, sent
    sent.clear()
    ledger.append("s", MessageAppended(role="user", content="6"))
    found = views.together("s", ["sessions", "messages"])
    assert (found["sessions"][0].message_count, len(found["messages"])) == (6, 6)
    assert len(sent) == 4, sent


@on_postgres
def test_who_holds_a_checkpoint_is_waited_for(ledger: Any, url: str) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    assert views.row("tally", KEY).count == 1
    ledger.append("s", counted())
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM ledger.view_checkpoints FOR UPDATE")
        reading = background(lambda: views.row("tally", KEY).count)
        with psycopg.connect(url, autocommit=True) as watching:
            eventually(lambda: watching.execute(WAITING).fetchone() == (1,))
        assert not reading.done()
        other.rollback()
        assert reading.result(DEADLINE_S) == 2
    assert views.row("tally", KEY).sequences == [1, 2]


WAITING = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@on_postgres
@only_sync
@pytest.mark.usefixtures("new_database")
@pytest.mark.parametrize("analyzed", [False, True])
def test_what_is_left_is_found_by_its_position(ledger: Ledger, url: str, analyzed: bool) -> None:
    views = Views(ledger, projections=[TALLY])
    views.catch_up()
    if analyzed:  # and empty
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("VACUUM ANALYZE ledger.events, ledger.view_checkpoints")
    storage: Any = views._reader._views
    assert isinstance(storage, PostgresViews)
    table = storage._storing._of(views._reader.table("tally"))
    backlog = storage._storing._few._statements.backlog
    asked = [backlog(0, [("tally", 1)], 10, None, ()), backlog(0, [("tally", 1)], 10, table, KEY)]
    for call in (*asked, table.ahead(0, KEY, 10)):
        lines = ledger.backend.select(b"EXPLAIN " + call.statement, call.parameters)  # type: ignore[attr-defined]  # of PostgreSQL
        plan = "\n".join(line for (line,) in lines)
        # The end of a session is what else is looked for.
        events = plan.count("using events_") - plan.count("using events_sequence")
        assert events == plan.count("using events_pkey") == 1
        for node in ("Seq Scan", "Sort ", "Bitmap", "Hash Join", "Merge Join"):
            assert node not in plan
