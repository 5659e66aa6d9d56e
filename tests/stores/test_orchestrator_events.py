"""Appending events, and finding them again."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    at,
    event,
    events,
    filled,
    ids,
    numbers,
    queries_of,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_memory

FULL = event(
    "e",
    timestamp=at(1),
    run_id="r",
    data={"unknown": {"deep": [1, None]}},
    metadata={"m": {"n": True}},
    provider="p",
    correlation_id="c",
)


def test_asm_33_34_35_36_37_39_40_an_event_is_there_once_with_its_number(store: Store) -> None:
    for _ in range(3):
        store.append_event(FULL)
    assert store.get_events("s") == [replace(FULL, sequence_number=1)]
    nameless = replace(FULL, session_id="u", provider="")
    assert store.append_event_with_sequence(nameless) == replace(nameless, sequence_number=1)
    again = [store.append_event_with_sequence(FULL) for _ in range(2)]
    assert again == store.get_events("s") * 2
    assert store.get_latest_sequence("s") == 1
    given = [again[0], store.append_event_with_sequence(event("e2"))]
    assert (numbers(given), store.get_latest_sequence("s")) == ([1, 2], 2)
    assert given == store.get_events("s")
    assert store.append_event_with_sequence(event(session_id="t")).sequence_number == 1


def test_asm_38_u29_an_event_without_a_time_is_refused_and_harms_nothing(store: Store) -> None:
    bad: Any = None
    with refused("validation_error"):
        store.append_event_with_sequence(event(timestamp=bad))
    with refused("validation_error"):
        store.append_events([event(), event(timestamp=bad)])
    assert store.append_event_with_sequence(event()).sequence_number == 1


def test_asm_41_42_43_u1_u5_events_need_no_session_and_come_oldest_first(store: Store) -> None:
    for id in ("c", "a", "b"):
        store.append_event(event(id, sequence_number=99))
    assert ids(store.get_events("s")) == ["c", "a", "b"]
    assert numbers(store.get_events("s")) == [1, 2, 3]
    with refused("session_not_found"):
        store.get_session("s")
    assert store.list_sessions() == []


def test_asm_44_to_47_49_u6_u7_a_batch_is_numbered_in_its_order(store: Store) -> None:
    assert store.append_events([]) == []
    z1, z2, z3 = events("z1", "z2", "z3")
    store.append_event(z1)
    stored = store.append_events([z2, z1, z3, z2, z1])
    assert (ids(stored), numbers(stored)) == (["z2", "z1", "z3", "z2", "z1"], [2, 1, 3, 2, 1])
    assert (stored[:2], store.get_latest_sequence("s")) == (stored[3:], 3)
    assert ids(store.get_events("s")) == ["z1", "z2", "z3"]
    given = [event(f"{id}{n}", session_id=id) for n in (1, 2) for id in ("u", "t")]
    stored = store.append_events(given)
    assert (ids(stored), numbers(stored)) == (["u1", "t1", "u2", "t2"], [1, 1, 2, 2])


def test_asm_48_a_batch_may_have_3_000_events(store: Store) -> None:
    stored = filled(store, 3_000)
    assert numbers(stored) == list(range(1, 3_001))
    assert (store.get_events("s"), store.get_latest_sequence("s")) == (stored, 3_000)


def test_asm_50_u8_u9_u25_u30_one_bad_event_refuses_the_whole_batch(store: Store) -> None:
    nothing: Any = None
    for bad, code in (
        (None, "validation_error"),
        ({"id": "x"}, "validation_error"),
        (event(data={"x": {1}}), "validation_error"),
        (event(type=nothing), "validation_error"),
        (event(schema_version=0), "validation_error"),
        (event(type="odd"), "invalid_event_type"),
    ):
        given: list[Any] = [event(), event(session_id="t"), bad, event()]
        with refused(code):
            store.append_events(given)
    wrong: Any = event()
    with refused("validation_error"):
        store.append_events(wrong)
    assert store.ledger.list_session_ids().session_ids == []


LATEST = datetime.max.replace(tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"run_id": "r2"}, ["e3"]),
    ({"type": "message_received"}, ["e2", "e4"]),
    ({"after": 2}, ["e3", "e4"]),
    ({"before": 3}, ["e1", "e2"]),
    ({"after": 1, "before": 3}, ["e2"]),
    ({"after": 1, "before": 4, "limit": 1}, ["e2"]),
    ({"after": 1, "run_id": "r", "type": "message_received", "limit": 2}, ["e2", "e4"]),
    ({"after": 1, "run_id": "r", "type": "message_received", "limit": 1}, ["e2"]),
    ({"after": 2, "run_id": "r", "type": "message_received", "limit": 1}, ["e4"]),
    ({"limit": 2}, ["e1", "e2"]),
    ({"since": at(30)}, ["e3", "e4"]),
    ({"since": at(60)}, ["e4"]),
    ({"since": LATEST}, []),
    ({"since": LATEST.replace(tzinfo=timezone(timedelta(hours=-3)))}, []),
    ({"since": EARLIEST.replace(tzinfo=timezone(timedelta(hours=3)))}, ["e1", "e2", "e3", "e4"]),
    ({"limit": 0}, []),
    ({"before": 0}, []),
    ({"type": "message_sent", "limit": 1}, ["e3"]),
]


def test_asm_51_to_62_u12_u13_u14_filters(store: Store) -> None:
    store.append_events(
        [
            event("e1", "run_started", run_id="r", timestamp=at(-60)),
            event("e2", "message_received", run_id="r", timestamp=at(0)),
            event("e3", "message_sent", run_id="r2", timestamp=at(60)),
            event("e4", "message_received", run_id="r", timestamp=at(61)),
        ]
    )
    for filters, expected in FILTERS:
        assert ids(store.get_events("s", **filters)) == expected, filters
        assert store.get_events("unknown", **filters) == []
    store.save_session(session("t"))
    assert [store.get_latest_sequence(id) for id in ("s", "t", "unknown")] == [4, 0, 0]


def test_asm_57_58_a_limit_counts_what_fits_though_other_types_share_its_fact(store: Store) -> None:
    data = {"role": "user", "content": "x"}
    for n in range(6):
        type = "message_sent" if n % 3 == 2 else "message_received"
        store.append_event(event(f"e{n}", type, data=data))
    assert ids(store.get_events("s", type="message_sent", limit=2)) == ["e2", "e5"]
    # What is read next is more than is missing, and not more than was asked for is returned.
    assert ids(store.get_events("s", type="message_received", after=2, limit=1)) == ["e3"]


def test_asm_u3_u4_an_id_belongs_to_its_session_and_to_its_content(store: Store) -> None:
    store.append_event(FULL)
    with refused("already_exists"):
        store.append_event(replace(FULL, data={"other": 1}))
    assert store.get_events("s")[0].data == FULL.data
    other = store.append_event_with_sequence(replace(FULL, session_id="t"))
    assert (other.session_id, other.sequence_number) == ("t", 1)
    assert store.get_latest_sequence("t") == 1


def test_asm_u2_u31_events_are_kept_after_any_end_and_saving_takes_numbers_too(
    store: Store,
) -> None:
    local = at(7200.5).astimezone(timezone(timedelta(hours=2)))
    first = store.append_event_with_sequence(event("e1", timestamp=local))
    store.save_session(session(deleted_at=at(1)))
    store.save_run(run_of(status="failed"))
    saved = store.ledger.head("s")
    later = [event("e2", run_id="r", timestamp=at(0)), event("e3", run_id="unknown")]
    stored = store.append_events(later)
    assert numbers([first, *stored]) == [1, saved + 1, saved + 2]
    assert store.get_latest_sequence("s") == saved + 2
    assert store.get_events("s", after=1) == stored
    assert [one.timestamp for one in (first, stored[0])] == [at(7200.5), at(0)]


@on_memory
def test_asm_u13b_u14_u15_u27_wrong_filters_are_refused(store: Store) -> None:
    wrong: list[dict[str, Any]] = [
        {"limit": -1},
        {"limit": "x"},
        {"after": -1},
        {"after": 1.5},
        {"before": -1},
        {"since": "2026-01-01"},
        {"since": at(0).replace(tzinfo=None)},
        {"wait_timeout_ms": -1},
        {"wait_timeout_ms": 0.5},
        {"type": 1},
    ]
    for filters in wrong:
        with refused("validation_error"):
            store.get_events("s", **filters)


def test_asm_u32_facts_without_a_word_for_them_disturb_nobody(store: Store) -> None:
    for fact in (
        NewEvent({"x": 1}, "of.tomorrow", metadata={"of": "others"}),
        NewEvent(b"no JSON", "run_started", content_type="text/plain"),
        NewEvent({"delta": "hm", "kind": "thought"}, "message.streamed"),
        NewEvent({"status": "idle"}, "session.status_changed"),
        NewEvent(b"no JSON", "content.redacted", content_type="text/plain"),
    ):
        store.ledger.append("s", fact)
    store.append_event(event("e"))
    assert ids(store.get_events("s")) == ids(queries_of(store).search_events().items) == ["e"]


@on_memory
def test_asm_u32_what_others_keep_in_the_envelope_is_theirs(store: Store) -> None:
    envelopes: list[dict[str, Any]] = [
        {"type": ["message_sent"]},
        {"type": "session_created"},
        {"id": 5},
        {"provider": 7},
        {"metadata": "text"},
    ]
    for type in ("message.appended", "message_sent"):
        for own in envelopes:
            fact = NewEvent({"role": "user", "content": "x"}, type, metadata=own)
            stored = store.ledger.append("s", fact).event
            [found] = store.get_events("s", after=stored.sequence - 1)
            assert (found.id, found.type) == (stored.event_id, "message_sent")
            assert (found.metadata, found.provider) == (own, None)


def test_asm_u11_no_id_means_an_event_of_before_the_deletion(store: Store) -> None:
    store.save_session(session())
    deleted_at = store.ledger.head("s") + 2
    store.append_event(event(f"e@{deleted_at}", data={"of": "before"}))
    store.delete_session("s")
    assert store.ledger.head("s") == deleted_at
    for id in ("e", f"e@{deleted_at}", "e@0"):
        stored = store.append_event_with_sequence(event(id, data={"of": id}))
        assert store.append_event_with_sequence(replace(stored, sequence_number=None)) == stored
        assert store.get_events("s")[-1:] == [stored]
    assert ids(store.get_events("s")) == ["e", f"e@{deleted_at}", "e@0"]


def test_asm_u11_the_longest_id_is_as_good_as_any_in_every_life_of_a_session(store: Store) -> None:
    longest = "e" * 512
    given = (
        longest,
        f"{longest[:-2]}é",
        f"{longest[:-2]}@7",
        longest[:-2],
        sha256(b"e").hexdigest(),
    )
    for life in range(3):
        store.save_session(session(agent_id=f"{life}"))
        for id in given:
            sent = event(id, data={"of": life}, timestamp=at(1))
            stored = store.append_event_with_sequence(sent)
            assert replace(stored, sequence_number=None) == sent
            assert store.append_event_with_sequence(sent) == stored
            with refused("already_exists"):
                store.append_event(replace(sent, data={"of": "others"}))
        assert ids(store.get_events("s")) == [*given]
        assert sorted(ids(queries_of(store).search_events().items)) == sorted(given)
        with refused("validation_error"):
            store.append_event(event("e" * 513))
        store.delete_session("s")
    assert len({one.event_id for one in store.ledger.read("s", deleted=True)}) == 3 * 7


def test_redacted_events_are_not_shown(store: Store) -> None:
    filled(store, 4)
    store.append_events(
        [
            event("e5", data={"role": "user", "content": "x", "message_id": "m"}),
            event("e6", run_id="r"),
        ]
    )
    named = {"sequences": [2, 3], "message_ids": ["m", "e4"], "run_ids": ["r"]}
    store.ledger.append("s", NewEvent(named, "content.redacted"))
    store.append_event(event("e7", run_id="r"))
    assert ids(store.get_events("s")) == ["e1", "e7"]
    assert ids(store.get_events("s", limit=2)) == ["e1", "e7"]
    assert ids(store.get_events("s", after=1)) == ["e7"]
    found = queries_of(store)
    assert ids(found.search_events().items) == ids(found.search_events(session_ids="s").items)
    assert ids(found.search_events().items) == ["e1", "e7"]
