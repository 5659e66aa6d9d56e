"""Reading a session: bounds, filters, their composition, and single events."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.limits import READ_PAGE_EVENTS
from tests.support.builders import note, notes, on_memory, sequences, texts, together

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def filled(ledger: Any) -> Any:
    """Session s with a1 b2 a3 b4 a5 b6: types a and b, runs r1 (1-3) and r2 (4-6), a minute apart."""
    ledger.append(
        "s",
        [
            NewEvent(
                {"text": f"{'ab'[number % 2]}{number + 1}"},
                "ab"[number % 2],
                run_id="r1" if number < 3 else "r2",
                occurred_at=NOON + number * MINUTE,
            )
            for number in range(6)
        ],
    )
    ledger.append("other", note("x", run_id="r1"))
    return ledger


def test_asm_41_without_options_everything_comes_oldest_first(filled: Any) -> None:
    assert texts(filled.read("s")) == ["a1", "b2", "a3", "b4", "a5", "b6"]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"after": 0}, [1, 2, 3, 4, 5, 6]),
    ({"after": 4}, [5, 6]),
    ({"after": 6}, []),
    ({"after": 99}, []),
    ({"before": 3}, [1, 2]),
    ({"before": 1}, []),
    ({"before": 0}, []),
    ({"before": 99}, [1, 2, 3, 4, 5, 6]),
    ({"after": 1, "before": 3}, [2]),
    ({"after": 3, "before": 3}, []),
    ({"after": 5, "before": 2}, []),
    ({"run_id": "r2"}, [4, 5, 6]),
    ({"run_id": "R2"}, []),
    ({"types": ["a"]}, [1, 3, 5]),
    ({"types": ["a", "b", "a"]}, [1, 2, 3, 4, 5, 6]),
    ({"types": ["c"]}, []),
    ({"types": []}, []),
    ({"types": {"b"}}, [2, 4, 6]),
    ({"since": NOON + 3 * MINUTE}, [4, 5, 6]),
    ({"until": NOON + 3 * MINUTE}, [1, 2, 3]),
    ({"since": NOON + MINUTE, "until": NOON + 2 * MINUTE}, [2]),
    ({"since": NOON, "until": NOON}, []),
    ({"since": datetime(1900, 1, 1, tzinfo=UTC)}, [1, 2, 3, 4, 5, 6]),
    ({"until": datetime(9999, 1, 1, tzinfo=UTC)}, [1, 2, 3, 4, 5, 6]),
    ({"limit": 2}, [1, 2]),
    ({"limit": 6}, [1, 2, 3, 4, 5, 6]),
    ({"limit": 99}, [1, 2, 3, 4, 5, 6]),
    ({"limit": 0}, []),
    ({"newest_first": True}, [6, 5, 4, 3, 2, 1]),
    ({"newest_first": True, "limit": 2}, [6, 5]),
    ({"newest_first": True, "after": 2, "before": 5}, [4, 3]),
    ({"newest_first": True, "types": ["a"], "limit": 2}, [5, 3]),
    ({"after": 1, "before": 4, "limit": 1}, [2]),
    ({"after": 1, "run_id": "r1", "types": ["a"], "limit": 2}, [3]),
    ({"types": ["b"], "since": NOON + 2 * MINUTE, "until": NOON + 5 * MINUTE}, [4]),
    ({"run_id": "r2", "types": ["a", "b"], "after": 4, "newest_first": True}, [6, 5]),
]


def test_asm_51_60_filters_combine_and_the_limit_comes_last(filled: Any) -> None:
    for options, expected in FILTERS:
        assert sequences(filled.read("s", **options)) == expected, options


@on_memory
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("limit", -1),
        ("limit", 1.0),
        ("limit", True),
        ("limit", "1"),
        ("after", -1),
        ("after", None),
        ("after", 2**63),
        ("before", 2**63),
        ("limit", 2**63),
        ("before", -1),
        ("before", "2"),
        ("wait", -0.1),
        ("wait", float("nan")),
        ("wait", 1e9),
        ("wait", "1"),
        ("types", "a"),
        ("since", datetime(2024, 5, 1)),
        ("until", "2024-05-01"),
    ],
)
def test_u_08_an_argument_that_makes_no_sense_is_refused(
    ledger: Any, option: str, value: Any
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.read("s", **{option: value})
    assert caught.value.argument == option


def test_redactions_are_read_as_any_other_type_is(ledger: Any) -> None:
    # They have an index, and a statement, of their own.
    def told(number: int, type: str) -> NewEvent:
        run_id = "r1" if number < 4 else "r2"
        at = NOON + number * MINUTE
        return NewEvent({"sequences": [number]}, type, run_id=run_id, occurred_at=at)

    types = ("a", "content.redacted")
    for session in ("s", "other"):
        ledger.append(session, [told(number, types[number % 2]) for number in range(8)])
    ledger.delete("s")
    ledger.append("s", [told(number, types[number % 2]) for number in range(8)])
    for options in (
        {},
        {"deleted": True},
        {"after": 11, "before": 17},
        {"after": 3, "before": 13, "deleted": True},
        {"run_id": "r2"},
        {"since": NOON + 3 * MINUTE, "until": NOON + 7 * MINUTE},
        {"limit": 2},
        {"newest_first": True, "limit": 3, "before": 17},
    ):
        limit = options.pop("limit", None)
        found = ledger.read("s", **options)
        expected = [one for one in found if one.type == "content.redacted"][:limit]
        assert expected
        assert ledger.read("s", types=["content.redacted"], limit=limit, **options) == expected
    assert ledger.read("nobody", types=["content.redacted"]) == []


def test_a_bound_may_be_as_large_as_a_sequence(filled: Any) -> None:
    for value in (2**31, 2**63 - 1):
        assert sequences(filled.read("s", after=value)) == []
        assert sequences(filled.read("s", before=value)) == [1, 2, 3, 4, 5, 6]
        assert sequences(filled.read("s", limit=value)) == [1, 2, 3, 4, 5, 6]


@on_memory
@pytest.mark.parametrize("session", ["", "  ", "\0", "\ud800", "x" * 1_025, None, 7, b"s"])
def test_u_17_what_is_no_session_id_is_refused_by_readers(ledger: Any, session: Any) -> None:
    for call in (
        lambda: ledger.read(session),
        lambda: ledger.head(session),
        lambda: ledger.get(session, "e"),
        lambda: ledger.delete(session),
        lambda: ledger.follow(session) if session is not None else ledger.read(None),
        lambda: ledger.fork(session, 1, "into"),
        lambda: ledger.fork("s", 1, session),
    ):
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert caught.value.field == "session_id"


@on_memory
@pytest.mark.parametrize("tenant", ["\0", "\ud800", "x" * 1_025, None, 7])
def test_what_is_no_tenant_is_refused_by_readers(ledger: Any, tenant: Any) -> None:
    for call in (
        lambda: ledger.read("s", tenant=tenant),
        lambda: ledger.head("s", tenant=tenant),
        lambda: ledger.get("s", "e", tenant=tenant),
        lambda: ledger.list_session_ids(tenant=tenant),
        lambda: ledger.feed(tenant=tenant) if tenant is not None else ledger.head("s", tenant=None),
        lambda: (
            ledger.follow(tenant=tenant) if tenant is not None else ledger.head("s", tenant=None)
        ),
    ):
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert caught.value.field == "tenant"


@on_memory
@pytest.mark.parametrize("value", ["", " ", "\0", "\ud800", None, 7, UUID(int=7)])
def test_u_17_what_is_no_id_is_refused_by_readers(ledger: Any, value: Any) -> None:
    for field, call in (
        ("event_id", lambda: ledger.get("s", value)),
        ("run_id", lambda: ledger.read("s", run_id="" if value is None else value)),
        ("types", lambda: ledger.read("s", types=[value])),
        ("types", lambda: ledger.feed(types=[value])),
        ("types", lambda: ledger.follow(types=[value])),
    ):
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert caught.value.field == field


def test_more_than_a_page_of_events_comes_whole(ledger: Any) -> None:
    ledger.append("s", notes(map(str, range(READ_PAGE_EVENTS + 2))))
    everything = list(range(1, READ_PAGE_EVENTS + 3))
    assert sequences(ledger.read("s")) == everything
    assert sequences(ledger.read("s", newest_first=True)) == everything[::-1]
    assert sequences(ledger.read("s", limit=READ_PAGE_EVENTS + 1)) == everything[:-1]


def test_every_event_comes_once_across_pages(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.reading.READ_PAGE_EVENTS", 3)
    for count in (1, 2, 3, 4, 6, 7):
        session = f"s{count}"
        ledger.append(session, notes(map(str, range(count))))
        everything = list(range(1, count + 1))
        assert sequences(ledger.read(session)) == everything
        assert sequences(ledger.read(session, newest_first=True)) == everything[::-1]
        assert sequences(ledger.read(session, after=1, limit=4)) == everything[1:5]
        newest = ledger.read(session, before=6, newest_first=True, limit=4)
        assert sequences(newest) == everything[:5][::-1][:4]


def test_get_finds_an_event_by_its_id(ledger: Any) -> None:
    answers = ledger.append("s", [note("a", event_id="1"), note("b", event_id="2")])
    assert [ledger.get("s", one) for one in "12"] == [answer.event for answer in answers]


def test_asm_62_head_counts_the_events_of_a_session(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    ledger.append("other", note())
    assert (ledger.head("s"), ledger.head("other")) == (3, 1)


def test_asm_83_concurrent_readers_all_see_everything(ledger: Any) -> None:
    ledger.append("s", notes(map(str, range(50))))
    found = together([lambda: sequences(ledger.read("s"))] * 40)
    assert found == [list(range(1, 51))] * 40
