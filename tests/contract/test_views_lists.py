"""Lists in pages, and counts: every filter, every order, and what holds while rows change."""

from collections import deque
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from random import Random
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from ledger import Append, InvalidArgument, InvalidCursor, NewEvent
from ledger.cursor import open_token, seal_token
from projections import QA, RUNS, SESSIONS
from tests.support.builders import only_sync, together
from tests.support.views import all_pages, views_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=10)
#: In a token: behind what says of which list it is.
PLACE_BEGINS = 9
ORDERS = ("last_activity_at", "created_at", "cost_nano_usd", "input_tokens", "output_tokens")


def at(minutes: int, payload: dict[str, Any], type: str, **header: Any) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(minutes=minutes), **header)


def created(minutes: int = 0, **fields: Any) -> NewEvent:
    return at(minutes, {"status": "active"} | fields, "session.created")


def used(minutes: int, tokens: int) -> NewEvent:
    usage = {"cost_usd": tokens / 8, "input_tokens": tokens, "output_tokens": tokens % 3}
    return at(minutes, usage, "usage.recorded")


def asked(minutes: int, qa_id: str, **header: Any) -> NewEvent:
    payload = {"qa_id": qa_id, "question": "?", "answer": "!"}
    return at(minutes, payload, "qa.recorded", **header)


def ids(rows: Any) -> list[str]:
    return [row.session_id for row in rows]


def populate(ledger: Any, count: int = 23, **options: Any) -> None:
    """Make sessions of which many tie in every order."""
    random = Random(7)  # one order that is not that of the ids
    numbers = random.sample(range(count), count)
    ledger.append_many(
        [
            Append(
                f"s{n:03}", [created(n % 4, agent_id=f"a{n % 2}"), used(n % 5, n % 3)], **options
            )
            for n in numbers
        ]
    )


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger, SESSIONS, RUNS, QA)


def test_pages_of_sessions_are_the_list_in_every_order(ledger: Any, views: Any) -> None:
    populate(ledger)
    populate(ledger, tenant="elsewhere")
    for order_by, descending in product(ORDERS, (True, False)):
        order = {"order_by": order_by, "descending": descending}
        listed = views.sessions(**order)
        expected = sorted(
            listed,
            key=lambda one, by=order_by: (getattr(one, by), one.session_id),
            reverse=descending,
        )
        assert (len(listed), listed) == (23, expected)
        for limit in (1, 7, 23, 100):
            assert all_pages(views.sessions_page, limit, **order) == listed
        some = {"agent_id": "a1", "since": START + timedelta(minutes=1)}
        assert all_pages(views.sessions_page, 2, **order, **some) == views.sessions(**order, **some)


def test_sessions_are_found_by_all_of_their_tags_and_labels(ledger: Any, views: Any) -> None:
    ledger.append("s1", created(1, tags=["urgent", "beta"], labels={"team": "a"}))
    ledger.append("s2", created(2, tags=["urgent"], labels={"team": "b", "a": "team"}))
    ledger.append("s3", created(3, tags=["URGENT", 'it\'s "x" AND y', ""]))
    ledger.append("s3", created(3, tags=["urgent"]), tenant="elsewhere")
    assert ids(views.sessions(tags=["urgent"])) == ["s2", "s1"]
    assert ids(views.sessions(tags=["beta", "urgent", "beta"])) == ["s1"]
    assert ids(views.sessions(tags=['it\'s "x" AND y'])) == ids(views.sessions(tags=[""])) == ["s3"]
    assert ids(views.sessions(tags=["urg"])) == []
    assert ids(views.sessions(labels={"team": "b"})) == ["s2"]
    assert ids(views.sessions(labels={"team": "a"}, tags=["urgent"])) == ["s1"]
    assert views.count_sessions(tags=["urgent"]) == 2
    assert ids(views.sessions_page(tags=["urgent"], limit=1).items) == ["s2"]
    ledger.append("s2", at(4, {"removed": ["urgent"]}, "session.tagged"))
    assert ids(views.sessions(tags=["urgent"])) == ["s1"]
    ledger.delete("s1")
    assert views.sessions(tags=["urgent"]) == []
    for wrong in ({"tags": "urgent"}, {"tags": [1]}, {"labels": ["a"]}, {"tags": ["x"] * 65}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            views.sessions(**wrong)


def test_pages_take_tags_and_labels_of_every_class(ledger: Any, views: Any) -> None:
    for number in range(3):
        ledger.append(f"s{number}", created(number, tags=["urgent"], labels={"team": "a"}))
    plain: dict[str, Any] = {"tags": ["urgent"], "labels": {"team": "a"}}
    other = {"tags": deque(["urgent"]), "labels": MappingProxyType({"team": "a"})}
    page = views.sessions_page(**other, limit=2)
    assert ids(page.items) == ["s2", "s1"]
    assert ids(views.sessions_page(**plain, limit=2, cursor=page.cursor).items) == ["s0"]
    assert views.count_sessions(**other) == len(views.sessions(**other)) == 3


def test_counts_are_as_many_as_there_are_in_the_list(ledger: Any, views: Any) -> None:
    populate(ledger)
    ledger.append("s001", at(9, {}, "session.archived"))
    ledger.append("s002", at(9, {}, "session.closed"))
    for filters in (
        {},
        {"archived": True},
        {"status": "active"},
        {"status": "closed"},
        {"agent_id": "a0"},
        {"agent_id": "nobody"},
        {"since": START + timedelta(minutes=3), "until": START + timedelta(minutes=4)},
        {"status": "abandoned", "now": NOW},
        {"status": "active", "abandoned_after_s": 1e6, "now": NOW},
    ):
        assert views.count_sessions(**filters) == len(views.sessions(**filters)), filters
    assert views.count_sessions(tenant="elsewhere") == 0
    with pytest.raises(TypeError):
        views.count_sessions(color="red")


def test_runs_of_a_tenant_are_listed_by_status_agent_and_time(ledger: Any, views: Any) -> None:
    for n in range(12):
        run_id = f"r{n % 3}"
        ledger.append(
            f"s{n % 4}{n // 4}",
            [
                at(n // 2, {"agent_id": f"a{n % 2}"}, "run.started", run_id=run_id),
                *([at(n, {}, "run.finished", run_id=run_id)] if n % 3 == 0 else []),
            ],
        )
    listed = all_pages(views.runs_page, 5)
    assert len(listed) == views.count_runs() == 12
    keys = [(run.created_at, run.session_id, run.run_id) for run in listed]
    assert keys == sorted(keys, reverse=True)
    for filters in (
        {"status": "completed"},
        {"agent_id": "a1"},
        {"status": "running", "agent_id": "a0"},
        {"since": START + timedelta(minutes=2), "until": START + timedelta(minutes=4)},
        {"session_id": "s10"},
    ):
        expected = [run for run in listed if fits(run, **filters)]
        assert all_pages(views.runs_page, 2, **filters) == expected, filters
        assert views.count_runs(**filters) == len(expected) > 0
    oldest = views.runs_page(descending=False, limit=12).items
    assert oldest == listed[::-1]
    assert views.runs_page(tenant="elsewhere").items == []


def fits(row: Any, since: Any = START, until: Any = NOW, **equal: str) -> bool:
    in_time = since <= row.created_at < until
    return in_time and all(getattr(row, name) == value for name, value in equal.items())


def test_questions_are_listed_across_sessions_and_within_one(ledger: Any, views: Any) -> None:
    for n in range(10):
        ledger.append(f"s{n % 3}", asked(n // 4, f"q{n}"))
    ledger.append("s0", NewEvent({"qa_id": "missing"}, "qa.amended"))
    listed = all_pages(views.qa_page, 3)
    keys = [(one.created_at, one.session_id, one.qa_id) for one in listed]
    assert (len(keys), keys) == (10, sorted(keys, reverse=True))
    of_session = all_pages(views.qa_page, 2, session_id="s0")
    assert of_session == views.qa("s0")[::-1]
    assert (views.count_qa(), views.count_qa(session_id="s0")) == (10, 4)
    ledger.delete("s0")
    assert (views.count_qa(), views.qa_page(session_id="s0").items) == (6, [])


def test_questions_are_listed_by_user_run_and_time(ledger: Any, views: Any) -> None:
    for n in range(12):
        payload = {"qa_id": f"q{n}", "question": "?", "answer": "!", "user_id": f"u{n % 3}"}
        run_id = f"r{n % 2}" if n % 4 else None
        moment = START + timedelta(minutes=n)
        ledger.append(
            f"s{n % 5}", NewEvent(payload, "qa.recorded", run_id=run_id, occurred_at=moment)
        )
    listed = all_pages(views.qa_page, 5)
    middle = START + timedelta(minutes=4)
    for filters in (
        {"user_id": "u1"},
        {"run_id": "r1"},
        {"run_id": "r0", "user_id": "u2"},
        {"user_id": "u1", "since": middle},
        {"run_id": "r1", "until": middle},
        {"run_id": "r1", "session_id": "s1"},
    ):
        found = all_pages(views.qa_page, 2, **filters)
        expected = [one for one in listed if fits(one, **filters)]
        assert found == expected
        assert found
        assert views.count_qa(**filters) == len(expected)
    assert views.qa_page(user_id="u9").items == views.qa_page(run_id="r9").items == []
    assert views.qa_page(user_id="u1", tenant="elsewhere").items == []


def test_anomalies_come_in_pages(ledger: Any, views: Any) -> None:
    for session_id in ("b", "a"):
        ledger.append(session_id, [NewEvent({"qa_id": f"q{n}"}, "qa.deleted") for n in range(5)])
    assert all_pages(views.anomalies_page, 3) == views.anomalies()
    assert all_pages(views.anomalies_page, 4, session_id="a") == views.anomalies("a")
    assert len(views.anomalies()) == 10


@pytest.mark.parametrize("name", ["sessions_page", "runs_page", "qa_page", "anomalies_page"])
def test_a_page_of_nothing_is_empty_and_a_negative_one_is_refused(
    ledger: Any, views: Any, name: str
) -> None:
    ledger.append("s", [created(), at(1, {}, "run.started", run_id="r"), asked(2, "q")])
    ledger.append("s", [NewEvent({"qa_id": f"x{n}"}, "qa.deleted") for n in range(2)])
    ledger.append("t", [created(), at(1, {}, "run.started", run_id="r"), asked(2, "q")])
    read = getattr(views, name)
    cursor = read(limit=1).cursor
    assert (read(limit=0).items, read(limit=0).cursor) == ([], None)
    assert read(limit=0, cursor=cursor).cursor == cursor
    assert len(read(limit=10_000).items) == 2
    for wrong in (-1, 1.5, "1", None, 10_001):
        with pytest.raises(InvalidArgument, match="limit"):
            read(limit=wrong)
    for damaged in ("", "x", cursor[:-1], cursor + "A", ledger.feed().cursor, 5):
        with pytest.raises(InvalidCursor):
            read(cursor=damaged)
    with pytest.raises(InvalidCursor, match="other filters"):
        read(cursor=cursor, tenant="elsewhere")


def test_a_cursor_is_of_its_list_its_filters_and_its_ledger(ledger: Any, views: Any) -> None:
    populate(ledger)
    cursor = views.sessions_page(limit=2, agent_id="a1").cursor
    assert len(views.sessions_page(limit=2, agent_id="a1", cursor=cursor).items) == 2
    for other in (
        {},
        {"agent_id": "a0"},
        {"agent_id": "a1", "order_by": "created_at"},
        {"agent_id": "a1", "descending": False},
        {"agent_id": "a1", "tags": ["x"]},
    ):
        with pytest.raises(InvalidCursor):
            views.sessions_page(cursor=cursor, **other)
    with pytest.raises(InvalidCursor):
        views.runs_page(cursor=cursor)


def forged(cursor: str, ledger_id: str, part: int | str, value: Any) -> str:
    """The cursor with another value as one part of its place; whoever has it could make it."""
    body = open_token(cursor, ledger_id)
    place = msgspec.msgpack.decode(body[PLACE_BEGINS:])
    place[part] = value
    return seal_token(body[:PLACE_BEGINS] + msgspec.msgpack.encode(place), ledger_id)


def test_a_forged_place_is_refused_as_a_damaged_one(ledger: Any, views: Any) -> None:
    said = {"question": "word", "answer": "word"}
    for name in ("s1", "s2"):
        answers = [NewEvent({"qa_id": f"q{n}"} | said, "qa.recorded") for n in range(2)]
        runs = [NewEvent({}, type, run_id="r") for type in ("run.started", *["run.finished"] * 2)]
        ledger.append(name, [created(), *answers, *runs])
    moments = ["2026-01-01T00:00:00", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"]
    nul, large = ["s\0"], [2**63, 2**64 - 1]
    odd: dict[int | str, list[Any]]
    for list_page, odd in (
        (views.sessions_page, {0: moments, 1: nul, 2: moments}),
        (partial(views.sessions_page, order_by="input_tokens"), {0: large, 1: nul, 2: moments}),
        (views.runs_page, {0: moments, 1: nul, 2: nul}),
        (views.qa_page, {0: moments, 1: nul, 2: nul}),
        (partial(views.qa_page, session_id="s1"), {0: large, 1: nul}),
        (partial(views.search, "word"), {0: moments, 1: ["sessions"], 2: [["s1"], ["s1", "\0"]]}),
        (views.anomalies_page, {"session_id": nul, "sequence": large, "row_key": [["\0"]]}),
    ):
        cursor = list_page(limit=1).cursor
        for part, values in odd.items():
            for value in values:
                with pytest.raises(InvalidCursor, match="damaged"):
                    list_page(limit=1, cursor=forged(cursor, ledger.ledger_id, part, value))


def test_what_is_abandoned_is_decided_once_for_all_pages(
    ledger: Any, views: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock(minutes: int) -> None:
        there = START + timedelta(minutes=minutes)
        monkeypatch.setattr("projections.readers.session_lists._clock", lambda: there)

    for n in range(5):
        ledger.append(f"s{n}", created(n))
    abandoned = {"status": "abandoned", "descending": False, "limit": 2}
    active = {"status": "active", "abandoned_after_s": 1_800, "limit": 2}
    # Those of the first three minutes have been left alone for half an hour, the others have not.
    clock(33)
    page, live = views.sessions_page(**abandoned), views.sessions_page(**active)
    assert (ids(page.items), ids(live.items)) == (["s0", "s1"], ["s4", "s3"])
    assert live.cursor is None
    clock(31)
    live = views.sessions_page(**active)
    assert (ids(live.items), live.cursor is None) == (["s4", "s3"], False)
    # While the pages are turned all of them come to be abandoned.
    clock(60)
    rest = views.sessions_page(**abandoned, cursor=page.cursor)
    assert (ids(rest.items), rest.cursor) == (["s2"], None)
    rest = views.sessions_page(**active, cursor=live.cursor)
    assert (ids(rest.items), rest.cursor) == (["s2", "s1"], None)
    assert len(views.sessions_page(**abandoned | {"limit": 9}).items) == 5
    assert views.sessions_page(**active).items == []


@only_sync
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("descending", [True, False])
def test_rows_that_do_not_change_are_in_the_pages_exactly_once(
    ledger: Any, views: Any, seed: int, descending: bool
) -> None:
    random = Random(seed)
    populate(ledger, 40)
    still = {f"s{n:03}" for n in range(0, 40, 2)}

    def change() -> None:
        for step in range(30):
            kind = random.randrange(3)
            session_id = f"s{random.randrange(20) * 2 + 1:03}"
            if kind == 0:
                ledger.append(session_id, used(random.randrange(6), 1))
            elif kind == 1:
                ledger.append(f"new{step}", created(random.randrange(6)))
            else:
                ledger.delete(session_id)

    def read() -> list[str]:
        return ids(all_pages(views.sessions_page, 3, descending=descending))

    _, *found = together([change, read, read])
    for pages in found:
        assert isinstance(pages, list), pages
        unchanged = [session_id for session_id in pages if session_id in still]
        assert (len(unchanged), set(unchanged)) == (20, still)
