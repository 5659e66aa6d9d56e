"""Finding sessions, what became of them, and what did not fit, on every backend."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from ledger import Append, InvalidArgument, Ledger, NewEvent
from projections import QA, RUNS, SESSIONS, TRACES, Session
from projections.engine.folding import Change
from projections.engine.tables import Table
from projections.folds import anomalies as folds_anomalies
from projections.folds.anomalies import ANOMALIES_MAX
from projections.readers.anomaly_lists import PAGE_ROWS
from tests.support.blocking import Blocking
from tests.support.builders import on_durable, only_sync
from tests.support.views import OwnMoment, views_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=10)
LATE = NewEvent({}, "usage.recorded")
CLOSED = NewEvent({}, "session.closed")


def at(minutes: int, payload: dict[str, Any], type: str, **header: Any) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(minutes=minutes), **header)


def created(minutes: int = 0, **fields: Any) -> NewEvent:
    return at(minutes, {"status": "active"} | fields, "session.created")


def moved(minutes: int, status: str) -> NewEvent:
    return at(minutes, {"status": status}, "session.status_changed")


def ids(sessions: list[Any]) -> list[str]:
    return [session.session_id for session in sessions]


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger, SESSIONS, RUNS, QA, TRACES)


@pytest.mark.parametrize(
    "key",
    [
        "agent_id",
        "owner_id",
        "channel",
        "user_channel_id",
        "customer_profile_id",
        "interlocutor_id",
        "external_id",
        "dataset_id",
        "parent_session_id",
    ],
)
def test_sessions_are_found_by_what_they_are_keyed_by(ledger: Any, views: Any, key: str) -> None:
    ledger.append("old", created(1, **{key: "x"}))
    ledger.append("other", created(2, **{key: "y"}))
    ledger.append("none", created(3))
    ledger.append("new", created(4, **{key: "x"}))
    ledger.append("new", created(4, **{key: "x"}), tenant="elsewhere")
    assert ids(views.sessions(**{key: "x"})) == ["new", "old"]
    assert ids(views.sessions(**{key: "x"}, status="closed")) == []
    ledger.append("old", at(5, {key: None}, "session.rekeyed"))
    assert ids(views.sessions(**{key: "x"})) == ["new"]


def test_a_channel_identity_finds_the_newest_and_the_newest_that_goes_on(
    ledger: Any, views: Any
) -> None:
    who = {"channel": "sms", "user_channel_id": "+1"}
    ledger.append("first", created(1, **who))
    ledger.append("second", created(2, **who))
    ledger.append("second", at(3, {}, "session.closed"))
    assert ids(views.sessions(**who, limit=1)) == ["second"]
    assert ids(views.sessions(**who, status="active", limit=1)) == ["first"]


def test_sessions_are_listed_by_time_cost_or_tokens_in_pages(ledger: Any, views: Any) -> None:
    for number, (minutes, cost) in enumerate([(5, 1.0), (1, 3.0), (9, 3.0), (7, 2.0)]):
        used = {"cost_usd": cost, "input_tokens": 10 - number}
        ledger.append(f"s{number}", [created(number), at(minutes, used, "usage.recorded")])
    assert ids(views.sessions()) == ["s2", "s3", "s0", "s1"]
    assert ids(views.sessions(descending=False)) == ["s1", "s0", "s3", "s2"]
    assert ids(views.sessions(order_by="created_at")) == ["s3", "s2", "s1", "s0"]
    assert ids(views.sessions(order_by="input_tokens")) == ["s0", "s1", "s2", "s3"]
    first = views.sessions(order_by="cost_nano_usd", limit=2)
    assert ids(first) == ["s2", "s1"]
    rest = views.sessions(order_by="cost_nano_usd", after=first[-1])
    assert ids(rest) == ["s3", "s0"]
    minute = timedelta(minutes=1)
    since, until = START + 5 * minute, START + 9 * minute
    assert ids(views.sessions(since=since, until=until)) == ["s3", "s0"]
    with pytest.raises(InvalidArgument, match="order_by"):
        views.sessions(order_by="ended_at")


def test_moments_of_a_class_of_its_own_are_asked_for_as_any(ledger: Any, views: Any) -> None:
    ledger.append("s", created())
    # The same moment, an hour to the east.
    moment = OwnMoment(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert moment == START
    assert ids(views.sessions(since=moment)) == ["s"]
    assert ids(views.sessions(until=moment)) == []
    assert ids(views.sessions(status="abandoned", now=moment)) == []
    assert views.session("s", as_of=moment) is None  # nothing was known of it then
    assert views.session("s", as_of=OwnMoment.now(UTC)) == views.session("s")
    assert len(ledger.read("s", since=moment)) == 1
    assert ledger.append("t", NewEvent({}, "a.b", occurred_at=moment)).event.occurred_at == START


def test_abandoned_is_computed_and_never_stored(ledger: Any, views: Any) -> None:
    for minutes, status in ((0, "active"), (1, "processing"), (2, "idle"), (3, "interrupted")):
        ledger.append(f"stale-{status}", [created(minutes), moved(minutes, status)])
    ledger.append("paused", [created(), moved(4, "paused")])
    ledger.append("ended", [created(), moved(5, "completed")])
    ledger.append("fresh", created(9 * 60 + 45))
    stale = ["stale-interrupted", "stale-idle", "stale-processing", "stale-active"]
    assert ids(views.sessions(status="abandoned", now=NOW)) == stale
    assert ids(views.sessions(status="abandoned", now=START)) == []
    first = views.sessions(status="abandoned", now=NOW, limit=3)
    assert ids(views.sessions(status="abandoned", now=NOW, after=first[-1])) == stale[3:]
    assert ids(views.sessions(status="active")) == ["fresh", "stale-active"]
    only_fresh = views.sessions(status="active", abandoned_after_s=1_800, now=NOW)
    assert ids(only_fresh) == ["fresh"]
    assert ids(views.sessions(status="active", abandoned_after_s=899, now=NOW)) == []
    assert ids(views.sessions(status="abandoned", abandoned_after_s=899, now=NOW))[0] == "fresh"
    stored = views.session("stale-active")
    assert (stored.status, stored.status_at(NOW)) == ("active", "abandoned")
    for wrong in (-1.0, float("nan"), 1e300):
        with pytest.raises(InvalidArgument, match="abandoned_after_s"):
            views.sessions(abandoned_after_s=wrong)
    with pytest.raises(InvalidArgument, match="now"):
        views.sessions(status="abandoned", now=datetime(2026, 1, 1))


def test_what_became_of_sessions_is_added_up(ledger: Any, views: Any) -> None:
    used = {"cost_usd": 0.5, "input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    ledger.append(
        "a", [created(owner_id="o"), at(1, used, "usage.recorded"), moved(2, "completed")]
    )
    ledger.append("b", [created(owner_id="o"), moved(4, "failed")])
    ledger.append("c", [created(owner_id="o"), at(6, used, "usage.recorded")])
    ledger.append("d", [created(9 * 60 + 59, owner_id="p"), at(600, {}, "session.archived")])
    stats = views.session_stats(now=NOW)
    assert stats.status_counts == {"abandoned": 1, "active": 1, "completed": 1, "failed": 1}
    assert (stats.session_count, stats.cost_usd, stats.total_tokens) == (4, 1.0, 14)
    assert stats.duration_us == (2 + 4 + 6 + 1) * 60_000_000
    assert stats.success_rate == 1 / 3
    one = views.session_stats(owner_id="p", now=NOW)
    assert (one.session_count, one.success_rate) == (1, 1.0)
    assert views.session_stats(since=NOW + timedelta(days=1), now=NOW).session_count == 0


def test_what_is_added_up_is_what_the_sessions_say_one_by_one(ledger: Any, views: Any) -> None:
    for number in range(5):
        first = START + timedelta(microseconds=999_999)
        last = START + timedelta(days=400 * number, microseconds=number)
        used = {"cost_usd": 0.1, "input_tokens": 10**12, "output_tokens": number}
        ledger.append(
            f"s{number}",
            [
                NewEvent({"status": "active"}, "session.created", occurred_at=first),
                NewEvent(used, "usage.recorded", occurred_at=last),
                NewEvent({}, "run.failed", run_id="r", occurred_at=last),
            ],
        )
    ledger.append("s4", moved(1, "completed"))
    huge = msgspec.structs.replace(views.session("s3"), input_tokens=2**63 - 1, anomaly_count=3)
    keep(ledger, views, [huge, msgspec.structs.replace(huge, session_id="copy", status="idle")])
    sessions = views.sessions()
    for now in (NOW, START + timedelta(days=400), NOW + timedelta(days=5_000)):
        stats = views.session_stats(now=now)
        assert stats.session_count == 6
        for name in ("input_tokens", "output_tokens", "cost_nano_usd", "run_count"):
            assert getattr(stats, name) == sum(getattr(one, name) for one in sessions)
        assert stats.anomaly_count == sum(one.anomaly_count for one in sessions) == 6
        lasted = [(one.ended_at or one.last_activity_at) - one.created_at for one in sessions]
        assert min(lasted) < timedelta(0), "a clock went backwards"
        assert stats.duration_us == sum(max(0, one // timedelta(microseconds=1)) for one in lasted)
        statuses = [one.status_at(now) for one in sessions]
        assert stats.status_counts == {one: statuses.count(one) for one in sorted({*statuses})}
    assert stats.input_tokens > 2**64


def test_what_sessions_last_together_is_told_exactly_however_long(ledger: Any, views: Any) -> None:
    ledger.append("s", created())
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    long = msgspec.structs.replace(views.session("s"), created_at=first, last_activity_at=last)
    keep(ledger, views, [msgspec.structs.replace(long, session_id=f"{n}") for n in range(40)])
    lasted = 40 * ((last - first) // timedelta(microseconds=1))
    assert views.session_stats(now=NOW).duration_us == lasted > 2**63


def keep(ledger: Any, views: Any, sessions: list[Session]) -> None:
    """Store sessions that no events of today can make."""
    table, positions = Table(SESSIONS), views.positions("sessions")
    storage = getattr(views, "_target", views)._reader._views
    if isinstance(views, Blocking):
        storage = Blocking(storage, views._loop)
    for one in sessions:
        bucket = ledger.door.bucket(one.tenant, one.session_id)
        change = Change(table, positions[bucket], positions[bucket], [table.encode(one)])
        assert storage.store(bucket, [change])


def test_a_run_is_found_by_its_id_alone(ledger: Any, views: Any) -> None:
    ledger.append("a", [created(), at(1, {}, "run.started", run_id="r")])
    ledger.append("b", [created(), at(2, {}, "run.started", run_id="other")])
    assert views.find_run("r").session_id == "a"
    assert views.find_run("nobody") is None
    assert views.find_run("r", tenant="elsewhere") is None
    ledger.append("b", at(3, {}, "run.created", run_id="r"))
    assert views.find_run("r").session_id == "b"
    ledger.append("c", at(4, {"role": "user"}, "message.appended", run_id="r"))
    assert views.find_run("r").session_id == "b"  # naming a run makes none


def test_anomalies_are_listed_by_session_in_order(ledger: Any, views: Any) -> None:
    end = NewEvent({}, "session.closed")
    asked = NewEvent({"qa_id": "q", "question": "?", "answer": "!"}, "qa.recorded")
    early = NewEvent({"qa_id": "q", "answer": "x"}, "qa.amended")
    ledger.append("s", [created(), early, asked, asked_again(asked), end, LATE, again(end)])
    ledger.append("s", again(LATE), tenant="elsewhere")
    ledger.append("fine", created())
    found = [(one.sequence, one.view, one.row_key, one.type) for one in views.anomalies("s")]
    assert found == [
        (2, "qa", ("q",), "qa.amended"),
        (4, "qa", ("q",), "qa.recorded"),
        (6, "sessions", (), "usage.recorded"),
        (7, "sessions", (), "session.closed"),
    ]
    assert [one.reason for one in views.anomalies("s")][2] == "counted, the session was closed"
    first = views.anomalies("s", limit=3)
    assert views.anomalies("s", after=first[-1]) == views.anomalies("s")[3:]
    assert views.anomalies() == views.anomalies("s")
    assert views.anomalies("fine") == views.anomalies("nobody") == []
    assert views.anomalies("s", limit=0) == []
    assert views.qa_entry("s", "q").answer == "!"


def test_anomalies_that_a_row_has_no_room_for_are_listed_with_the_others(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(where: Any) -> None:
        where.append("s", [created(), at(1, {}, "run.started", run_id="r"), asked("q")])
        for _ in range(ANOMALIES_MAX + 8):
            # Of a run, an answer (which goes and comes back), a call and the session.
            late = [at(2, {}, "run.finished", run_id="r"), asked("q"), at(2, {}, "usage.recorded")]
            where.append("s", [*late, at(3, {"call_id": "c"}, "tool.finished"), again(CLOSED)])
        where.append("s", at(4, {"qa_id": "q"}, "qa.deleted"))
        where.append("s", [asked("q"), asked("q")])

    tell(ledger)
    views = views_of(ledger)
    found = views.anomalies("s", limit=1_000)
    counts = Counter((one.view, one.row_key) for one in found)
    run = views.run("s", "r")
    assert (len(run.anomalies), run.anomaly_count) == (ANOMALIES_MAX, ANOMALIES_MAX + 7)
    assert counts["runs", ("r",)] == run.anomaly_count
    assert counts["sessions", ()] == views.session("s").anomaly_count
    assert counts["qa", ("q",)] == views.qa_entry("s", "q").anomaly_count
    pages, last = [], None
    while page := views.anomalies("s", limit=37, after=last):
        pages += page
        last = page[-1]
    assert pages == found == views.anomalies(limit=1_000)
    # As if there had been room for all.
    monkeypatch.setattr(folds_anomalies, "ANOMALIES_MAX", 1_000)
    with Ledger.open("memory:") as other:
        tell(other)
        assert views_of(other).anomalies("s", limit=1_000) == found


def asked(qa_id: str) -> NewEvent:
    return NewEvent({"qa_id": qa_id, "question": "?", "answer": "!"}, "qa.recorded")


def again(event: NewEvent) -> NewEvent:
    return NewEvent(event.payload, event.type)


def asked_again(event: NewEvent) -> NewEvent:
    return NewEvent(dict(event.payload), event.type)  # type: ignore[arg-type] # it is a dict


def test_what_is_not_there_is_shown_by_its_anomalies_alone(ledger: Any) -> None:
    views = views_of(ledger)
    for type, payload in (
        ("qa.amended", {"qa_id": "x"}),
        ("message.amended", {"message_id": "x"}),
        ("context.amended", {"context_id": "x"}),
        ("scenario.exited", {"scenario_id": "x"}),
        ("snapshot.restored", {"name": "x"}),
    ):
        ledger.append("s", NewEvent(payload, type))
    for listed in ("qa", "messages", "context", "scenarios", "snapshots"):
        assert getattr(views, listed)("s") == views.rows(listed, "s") == []
        assert views.row(listed, ("", "s", "x")) is None
    assert views.qa_entry("s", "x") is views.context_entry("s", "x") is None
    assert views.scenario("s", "x") is views.snapshot("s", "x") is None
    assert views.transcript("s") == []
    assert len(views.anomalies("s")) == 5


@on_durable
@only_sync
def test_anomalies_of_a_tenant_come_in_pages_whatever_the_table(open_ledger: Any) -> None:
    ledger = open_ledger()
    views = views_of(ledger, SESSIONS, RUNS, QA, TRACES)
    strays = [NewEvent({"qa_id": f"q{n:03}"}, "qa.deleted") for n in range(PAGE_ROWS + 20)]
    ledger.append("b", strays)
    ledger.append_many(
        [
            Append(session_id, [NewEvent({}, "run.started", run_id="r")])
            for session_id in ("a", "b", "c", "é", "Z")
        ]
    )
    everything = views.anomalies(limit=10_000)
    assert everything == sorted(everything)
    assert len(everything) == PAGE_ROWS + 25
    pages, after = [], None
    while page := views.anomalies(limit=97, after=after):
        pages += page
        after = page[-1]
    assert pages == everything
    with pytest.raises(InvalidArgument, match="limit"):
        views.anomalies(limit=10_001)
