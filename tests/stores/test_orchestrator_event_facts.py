"""What an event is kept as: a fact of the catalogue where one says the same, else as it is."""

import json
import re
import time
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import InvalidEvent, Ledger, NewEvent
from ledger.catalogue import Catalogue
from projections.session_stores.orchestrator import EventRecord, StoreRefused
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.orchestrator.events import to_ledger
from projections.session_stores.orchestrator.facts import FACTS
from projections.session_stores.orchestrator.records import EVENT_TYPES
from tests.stores.orchestrator_cases import at, event
from tests.support.builders import on_memory

#: Data that a fact of the catalogue says just as well, and data that none does.
DATA: dict[str, list[dict[str, Any]]] = {
    "message_sent": [{"role": "user", "content": "hi"}, {"content": "no role"}],
    "message_received": [
        {"role": "assistant", "content": "x"},
        {"role": "assistant", "content": "x", "thread_id": "t", "turn_id": "1", "of": {"n": 1.0}},
        {"role": "robot"},
    ],
    "message_streamed": [{"content": "part"}, {"delta": "part"}],
    "tool_call_started": [
        {"tool_call_id": "1", "tool_name": "t", "tool_input": {"a": 1}},
        {"tool_call_id": "1", "tool_name": "t", "turn_id": "t1", "thread_id": None},
    ],
    "tool_call_completed": [
        {"tool_call_id": "1", "tool_name": "t", "tool_output": [1]},
        {"tool_call_id": "1", "tool_input": {"text": "x" * 20_000}, "turn_id": 7},
        {"tool_call_id": "1", "content": "x" * 20_000},
    ],
    "tool_call_failed": [
        {"tool_call_id": "1", "error_message": "no"},
        {"tool_call_id": "1", "is_error": 1, "data": {"type": "x"}, "metadata": []},
        {"call_id": "own"},
    ],
    "error_occurred": [
        {
            "error_message": "m",
            "error_code": "c",
            "details": {"d": 1},
            "provider_error": {"provider": "codex", "exit_code": 1},
        },
        {"error_message": "m", "provider_error": {"provider": "codex", "truncated?": None}},
        {"error_message": "m", "provider_error": {"odd": 1}},
        {"error_code": "only"},
    ],
    "policy_violation": [{"policy": "p", "kind": "k", "call_id": "c"}],
    "workspace_snapshot_taken": [{"label": "l", "backend": "git", "ref": "abc"}],
    "workspace_diff_computed": [
        {"files_changed": 1, "insertions": 2, "has_patch": True},
        {"files_changed": True, "insertions": 2.0, "has_patch": 1},
    ],
}


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


@on_memory
@pytest.mark.parametrize("together", [True, False])
def test_asm_39_every_type_comes_back_with_whatever_data(store: Store, together: bool) -> None:
    given = [
        event(type=type, data=data, run_id="r", timestamp=at(1))
        for type in EVENT_TYPES
        for data in [*DATA.get(type, []), {}, {"odd": 1}]
    ]
    stored = [
        one
        for batch in ([given] if together else [[one] for one in given])
        for one in store.append_events(batch)
    ]
    assert stored == [replace(one, sequence_number=n) for n, one in enumerate(given, 1)]
    # As text, for 1, 1.0 and True are equal and yet not the same.
    assert [_text(one.data) for one in stored] == [_text(one.data) for one in given]
    for type in EVENT_TYPES:
        assert store.get_events("s", type=type) == [one for one in stored if one.type == type]


def kept(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """Return type and metadata of what is in the log."""
    return [(one.type, one.metadata) for one in store.ledger.read("s")]


HI = {"role": "user", "content": "hi"}
CALL = {"tool_call_id": "1", "tool_name": "t", "latency_ms": 2.5}
SPOKEN: list[tuple[str, Mapping[str, Any], str]] = [
    ("message_sent", HI, "message.appended"),
    ("message_received", HI | {"role": "assistant"}, "message.appended"),
    ("message_streamed", {"content": "part"}, "message.streamed"),
    ("tool_call_started", {"tool_call_id": "1", "tool_name": "t"}, "tool.started"),
    ("tool_call_completed", CALL, "tool.finished"),
    ("tool_call_failed", CALL, "tool.failed"),
    ("workspace_snapshot_taken", {"ref": "abc"}, "workspace.snapshot_taken"),
]


@on_memory
def test_what_a_fact_tells_by_itself_is_not_said_again_beside_it(store: Store) -> None:
    given = [event(type=type, data=data, timestamp=at(1)) for type, data, _ in SPOKEN]
    stored = store.append_events(given)
    assert kept(store) == [(fact, {}) for _, _, fact in SPOKEN]
    assert store.get_events("s") == stored
    assert [(one.type, one.data) for one in stored] == [(type, data) for type, data, _ in SPOKEN]


@on_memory
def test_what_a_reader_would_take_for_another_type_says_which_it_is(store: Store) -> None:
    for type, role in (("message_received", "user"), ("message_sent", "assistant")):
        [stored] = store.append_events([event(type=type, data=HI | {"role": role})])
        assert stored == store.get_events("s")[-1]
        assert (stored.type, kept(store)[-1]) == (type, ("message.appended", {"type": type}))


@on_memory
def test_a_mapping_inside_the_data_is_read_as_a_dict_of_a_fact(store: Store) -> None:
    frozen = MappingProxyType({"a": [MappingProxyType({"b": 1})]})
    data = {"tool_call_id": "1", "tool_output": frozen}
    [stored] = store.append_events([event(type="tool_call_completed", data=data)])
    assert stored.data == data | {"tool_output": {"a": [{"b": 1}]}}
    assert type(stored.data["tool_output"]["a"][0]) is dict
    assert kept(store) == [("tool.finished", {})]


#: What a fact refuses and an orchestrator may say, and where it takes it as another value.
UNFIT: list[tuple[str, Mapping[str, Any]]] = [
    ("message_sent", HI | {"role": "robot"}),
    ("message_sent", HI | {"turn_number": -1}),
    ("tool_call_completed", CALL | {"latency_ms": -0.5}),
    ("tool_call_completed", CALL | {"tool_name": " "}),
    ("tool_call_completed", CALL | {"tool_name": "t" * 600}),
    ("workspace_diff_computed", {"files_changed": -1}),
]


@pytest.mark.parametrize("unfit", UNFIT, ids=str)
def test_one_that_no_fact_says_is_kept_as_it_is_and_its_neighbours_as_facts(
    store: Store, unfit: tuple[str, Mapping[str, Any]]
) -> None:
    type, data = unfit
    fit, other = event("1", type="message_sent", data=HI), event("3", type="message_sent", data=HI)
    stored = store.append_events([fit, event("2", type=type, data=data), other])
    assert stored == store.get_events("s")
    assert (stored[1].type, stored[1].data) == (type, data)
    assert [kind for kind, _ in kept(store)] == ["message.appended", type, "message.appended"]
    assert store.append_events([event("2", type=type, data=data, timestamp=stored[1].timestamp)])


@pytest.mark.parametrize(
    ("value", "place"),
    [(b"x", "data.tool_output"), ({"a": [float("nan")]}, "data.tool_output.a[0]")],
    ids=str,
)
def test_what_json_does_not_have_is_refused_by_its_place_in_the_data(
    store: Store, value: Any, place: str
) -> None:
    call = event("2", type="tool_call_completed", data=CALL | {"tool_output": value})
    with pytest.raises(StoreRefused, match=f"{re.escape(place)}: of event '2': "):
        store.append_events([event("1"), call])
    assert store.get_events("s") == []


def test_ids_that_are_given_later_come_later_in_every_index() -> None:
    ids = []
    for _ in range(3):
        ids.append(EventRecord(type="message_sent", session_id="s").id)
        time.sleep(0.002)
    assert ids == sorted(ids)


def test_a_ledger_that_does_not_know_the_facts_is_given_none_that_they_refuse() -> None:
    with Ledger.open("memory:", catalogue=Catalogue()) as ledger:
        store = Store(ledger)
        for role, type in (("robot", "message_sent"), ("user", "message.appended")):
            store.append_event(event(type="message_sent", data=HI | {"role": role}))
            assert kept(store)[-1] == (type, {})


def test_a_session_is_asked_about_only_where_something_speaks_for_an_earlier_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        call = getattr(Ledger, name)

        def noted(*all: Any, **named: Any) -> Any:
            calls.append(name)
            return call(*all, **named)

        return noted

    for name in ("heads", "append_many"):
        monkeypatch.setattr(Ledger, name, counted(name))
    with Ledger.open("memory:") as ledger:
        store = Store(ledger)
        one, new, last = event("1", data=HI), event("4"), event("5")
        told: list[tuple[str, list[EventRecord], list[str]]] = [
            ("new", [one, event("2", "turn_completed")], ["append_many"]),
            ("again", [one], ["append_many", "heads"]),
            ("no fact", [event("3", "message_sent", data=HI | {"role": 1})], ["append_many"]),
            ("unfit", [event("x", "message_sent", data=HI | {"role": "x"})], ["append_many"] * 2),
            ("several", [new, event(session_id="t")], ["heads", "append_many"]),
            ("deleted", [new], ["append_many", "heads", "append_many"]),
            ("came back", [last], ["append_many"] * 2),
            ("again there", [last], ["append_many"] * 2),
        ]
        for what, given, expected in told:
            if what == "deleted":
                store.delete_session("s")
            calls.clear()
            assert [stored.id for stored in store.append_events(given)] == [n.id for n in given]
            assert (what, calls) == (what, expected)
        assert [stored.id for stored in store.get_events("s")] == ["4", "5"]


def test_what_is_deleted_between_two_calls_of_the_ledger_is_told_to_the_next_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Ledger.open("memory:") as ledger:
        store = Store(ledger)
        one = event("1", data=HI)
        store.append_event(one)
        heads = Ledger.heads

        def deleted_before(*all: Any, **named: Any) -> Any:
            ledger.delete("s")
            return heads(*all, **named)

        monkeypatch.setattr(Ledger, "heads", deleted_before)
        [stored] = store.append_events([one])
        assert store.get_events("s") == [stored]


#: Of every kind of JSON, and what is equal to it and not the same, or nearly what a fact wants.
NEARLY: list[Any] = [
    *(None, "", " ", "a", "user", "assistant", "x" * 600, 0, 1, -1, 1.0, 2.5, True),
    *([], ["a"], [1.0], {}, {"a": 1}, {"a": [{"b": True}]}),
]
BESIDE = ["call_id", "turn_id", "odd", "type", "metadata", "content", "delta", "provider_error"]


def near_to_a_fact(random: Random, number: int) -> EventRecord:
    """Return an event whose data has many of a fact's fields, right, wrong and nearly right."""
    type = random.choice(sorted(FACTS))
    fields = FACTS[type].model_fields
    data = {name: random.choice(NEARLY) for name in random.sample(sorted(fields), 2)}
    for name, field in fields.items():
        if field.is_required() and random.random() < 0.8:
            data[name] = random.choice(["user", "a", 1])
    if random.random() < 0.3:
        data[random.choice(BESIDE)] = random.choice(NEARLY)
    if type.startswith("tool_call") and random.random() < 0.8:
        data = {name: one for name, one in data.items() if name != "call_id"} | {
            "tool_call_id": "1"
        }
    if type == "message_streamed" and random.random() < 0.5:
        data = {"content": random.choice(NEARLY)}
    if type == "error_occurred" and random.random() < 0.5:
        inner = random.sample(["provider", "exit_code", "stderr", "odd"], 2)
        data["provider_error"] = {name: random.choice(NEARLY) for name in inner}
    return event(f"{number}", type=type, data=data, timestamp=at(number))


@on_memory
@pytest.mark.parametrize("seed", range(4))
def test_what_is_near_to_a_fact_is_kept_the_same_whether_the_fact_was_asked_or_not(
    store: Store, seed: int
) -> None:
    random = Random(seed)
    given = [near_to_a_fact(random, number) for number in range(100)]

    def drafted(new: NewEvent) -> tuple[Any, ...] | None:
        try:
            draft = store.ledger.door.draft("", "s", new)
        except InvalidEvent:
            return None
        return draft.type, draft.payload, draft.metadata

    unasked = [drafted(to_ledger(one, 0, certain=False)) for one in given]
    asked = [drafted(to_ledger(one, 0, certain=True)) for one in given]
    assert None not in asked
    assert None in unasked  # what a fact refuses is not seen without asking it
    assert all(one in (None, sure) for one, sure in zip(unasked, asked, strict=True))
    assert len({type for type, _, _ in filter(None, asked)} - {*EVENT_TYPES}) >= 4  # of nine facts
    alone = [store.append_events([one])[0] for one in given]
    assert [_text(one.data) for one in alone] == [_text(one.data) for one in given]
    assert store.append_events(given) == alone
    assert store.get_events("s") == alone
