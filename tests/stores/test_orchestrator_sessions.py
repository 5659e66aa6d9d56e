"""Saved sessions: what comes back, lists, and the two ways of deleting."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    another,
    at,
    event,
    events,
    ids,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_memory

FULL = session(
    status="active",
    parent_session_id="parent",
    metadata={"never seen": {"deep": [1, None, {"x": 1.5}]}},
    context={"c": {"d": {"e": "f"}}},
    tags=["b", "a"],
    created_at=at(0),
    updated_at=at(5),
)


def test_asm_1_2_3_12_13_14_a_saved_session_is_read_back(store: Store) -> None:
    with refused("session_not_found"):
        store.get_session("s")
    store.save_session(FULL)
    assert store.get_session("s") == FULL
    bare = session("bare", created_at=at(0))
    store.save_session(bare)
    assert store.get_session("bare") == replace(bare, updated_at=at(0))


def test_asm_4_5_6_19_saving_again_overwrites_everything(store: Store) -> None:
    for _ in range(3):
        store.save_session(FULL)
    assert store.list_sessions() == [store.get_session("s")] == [FULL]
    assert store.ledger.head("s") == 2  # what it is, and when it was touched
    other = session(
        agent_id="b", status="paused", metadata={"k": 2}, created_at=at(0), updated_at=at(9)
    )
    store.save_session(other)
    assert store.get_session("s") == other
    for tags in (["b", "a"], ["b"], ["a", "b"], ["b", "a", "c"], ["c", "b"], []):
        store.save_session(replace(other, tags=tags))
        assert store.get_session("s").tags == tags
    for deleted_at in (at(11), None):
        store.save_session(replace(other, updated_at=at(12), deleted_at=deleted_at))
        assert store.get_session("s").deleted_at == deleted_at


def test_asm_4_times_are_those_of_the_first_and_the_last_fact_and_tags_are_told_once(
    store: Store,
) -> None:
    store.append_event(event(timestamp=at(50)))
    store.save_session(session(created_at=at(60), updated_at=at(100), tags=["a", "b", "a"]))
    found = store.get_session("s")
    assert (found.created_at, found.updated_at, found.tags) == (at(50), at(100), ["a", "b"])
    for status, moment in (("active", at(110)), ("completed", at(120))):
        store.save_session(replace(found, status=status, updated_at=moment))
        assert store.get_session("s").updated_at == moment
        store.append_event(event(timestamp=at(70)))
        assert store.get_session("s").updated_at == at(70)


def test_asm_7_to_11_u16_u17_u18_u19_lists_have_filters_an_order_and_an_offset(
    store: Store,
) -> None:
    assert store.list_sessions() == []
    store.append_event(event(session_id="nobody saved this"))
    for number, (id, status, agent_id, deleted_at) in enumerate(
        (
            ("t", "active", "a", None),
            ("s", "pending", "a", None),
            ("v", "failed", "b", at(9)),
            ("u", "active", "b", None),
        )
    ):
        store.save_session(
            session(id, status=status, agent_id=agent_id, deleted_at=deleted_at,
                    created_at=at(number))
        )  # fmt: skip
    for filters, expected in (
        ({}, ["t", "s", "v", "u"]),
        ({"status": "active"}, ["t", "u"]),
        ({"status": ["pending", "failed"]}, ["s", "v"]),
        ({"status": []}, []),
        ({"agent_id": "a"}, ["t", "s"]),
        ({"agent_id": "b", "status": "active"}, ["u"]),
        ({"limit": 3}, ["t", "s", "v"]),
        ({"limit": 0}, []),
        ({"offset": 1}, ["s", "v", "u"]),
        ({"offset": 1, "limit": 1}, ["s"]),
        ({"offset": 1, "limit": 1, "status": ["active", "failed"]}, ["v"]),
        ({"offset": 4}, []),
    ):
        assert ids(store.list_sessions(**filters)) == expected, filters
    wrong: Any
    for wrong in ("odd", [["active"]], [{}], 1):
        with refused("validation_error"):
            store.list_sessions(status=wrong)
        with refused("validation_error"):
            store.list_runs("s", status=wrong)


def test_asm_u17_sessions_of_one_moment_are_listed_by_id(store: Store) -> None:
    for id in ("b", "c", "a"):
        store.save_session(session(id, created_at=at(1)))
    assert ids(store.list_sessions()) == ["a", "b", "c"]
    paged = [ids(store.list_sessions(offset=n, limit=1)) for n in range(4)]
    assert paged == [["a"], ["b"], ["c"], []]


@on_memory
def test_asm_u13_u13b_u16_bounds_of_a_list_that_are_none_are_refused(store: Store) -> None:
    wrong: list[Any] = [-1, "x", 1.5, True, 2**63]
    for one in wrong:
        for call in (
            lambda bad: store.list_sessions(limit=bad),
            lambda bad: store.list_sessions(offset=bad),
            lambda bad: store.list_runs("s", limit=bad),
        ):
            with refused("validation_error"):
                call(one)


def test_asm_4_12_values_that_are_equal_and_yet_not_the_same_are_told_apart(store: Store) -> None:
    for flag in (1, True, 1.0, [0], [False], (False,)):
        said = {"k": {"flag": flag}}
        store.save_session(session(metadata=said, context=said))
        head = store.ledger.head("s")
        store.save_session(session(metadata=said, context=said))
        assert store.ledger.head("s") == head
        found = store.get_session("s")
        read = list(flag) if isinstance(flag, tuple) else flag
        assert repr((found.metadata, found.context)) == repr(({"k": {"flag": read}},) * 2)


BEFORE: list[tuple[str, dict[str, Any]]] = [
    ("session.rekeyed", {"agent_id": "other", "parent_session_id": "other"}),
    ("session.amended", {"metadata": {"of": "others"}, "context": {"of": "others"}}),
    ("session.tagged", {"added": ["of others"]}),
    ("session.archived", {}),
]


def test_a_save_makes_a_session_of_what_others_said_before(store: Store) -> None:
    wanted = session(agent_id="a", metadata={"k": 1}, tags=["t"], created_at=at(0))
    for id, ends in (("s", []), ("ended", [("session.closed", {})])):
        for type, said in [*BEFORE, *ends]:
            store.ledger.append(id, NewEvent(said, type, occurred_at=at(0)))
    store.save_session(wanted)
    assert replace(store.get_session("s"), updated_at=None) == wanted
    head = store.ledger.head("ended")
    with refused("invalid_transition"):
        store.save_session(replace(wanted, id="ended", status="active"))
    assert store.ledger.head("ended") == head
    with refused("session_not_found"):
        store.get_session("ended")
    completed = replace(wanted, id="ended", status="completed")
    store.save_session(completed)
    assert replace(store.get_session("ended"), updated_at=None) == completed
    store.ledger.append("again", NewEvent({}, "session.closed", occurred_at=at(0)))
    active = replace(wanted, id="again", status="active")
    another(store, enforce_transitions=False).save_session(active)
    assert replace(store.get_session("again"), updated_at=None) == active


@on_memory
def test_a_list_goes_on_behind_what_nobody_saved(store: Store) -> None:
    store.append_events([event(session_id=f"{n}", timestamp=at(n)) for n in range(60)])
    store.save_session(session(created_at=at(99)))
    assert ids(store.list_sessions(limit=1)) == ["s"]


def test_asm_15_16_17_u10_deleting_takes_everything_of_the_session_along(store: Store) -> None:
    store.save_session(session())
    store.save_run(run_of())
    store.append_events([event("e"), event("f", session_id="t")])
    kept = NewEvent({"artifact_id": "f", "key": "k"}, "artifact.registered")
    store.ledger.append("s", kept)
    for id in ("s", "s", "never"):
        store.delete_session(id)
    with refused("session_not_found"):
        store.get_session("s")
    with refused("run_not_found"):
        store.get_run("r")
    assert (store.get_events("s"), store.list_runs("s"), store.list_sessions()) == ([], [], [])
    assert (store.get_latest_sequence("s"), store.views.artifacts("s")) == (0, [])
    assert (ids(store.get_events("t")), store.ledger.head("never")) == (["f"], 0)


def test_asm_u11_numbers_are_never_given_twice(store: Store) -> None:
    store.save_session(session())
    last = store.append_events(events("e1", "e2"))[-1]
    store.delete_session("s")
    store.save_session(session(agent_id="b"))
    again = store.append_event_with_sequence(event("e1"))  # an id of the deleted session
    assert again.sequence_number is not None
    assert last.sequence_number is not None
    assert again.sequence_number > last.sequence_number
    assert (again.id, ids(store.get_events("s"))) == ("e1", ["e1"])
    assert store.append_event_with_sequence(again) == again


@on_memory
def test_a_status_that_does_not_follow_is_refused_unless_told_otherwise(store: Store) -> None:
    free = another(store, enforce_transitions=False)
    statuses = ("pending", "active", "paused", "completed", "failed", "cancelled")
    follows = {
        "pending": {"active", "failed", "cancelled"},
        "active": {"paused", "completed", "failed", "cancelled"},
        "paused": {"active", "failed", "cancelled"},
    }
    for before in statuses:
        free.save_session(session(before, status=before))
        for after in statuses:
            if after in follows.get(before, ()) or after == before:
                continue
            with refused("invalid_transition"):
                store.save_session(session(before, status=after, agent_id="b"))
        assert store.get_session(before).agent_id == "a"
        for after in sorted(follows.get(before, ())):
            store.save_session(session(before, status=after))
            assert store.get_session(before).status == after
            free.save_session(session(before, status=before))
            assert store.get_session(before).status == before


def test_a_session_is_changed_as_it_is_by_then(store: Store) -> None:
    with refused("session_not_found"):
        store.update_session("s", lambda one: one)
    store.save_session(replace(FULL, metadata={"n": 1}))
    changed = store.update_session("s", lambda one: replace(one, metadata={"n": 2}))
    assert changed == store.get_session("s")
    assert (changed.metadata, changed.updated_at > at(5)) == ({"n": 2}, True)
    head = store.ledger.head("s")
    assert store.update_session("s", lambda one: one) == changed
    touched = store.update_session("s", lambda one: replace(one, updated_at=at(10**9)))
    assert (touched.updated_at, store.ledger.head("s")) == (at(10**9), head + 1)
    with refused("validation_error"):
        store.update_session("s", lambda one: replace(one, id="other"))
    with refused("invalid_transition"):
        store.update_session("s", lambda one: replace(one, status="pending"))


def test_what_is_changed_inside_the_record_is_saved(store: Store) -> None:
    store.save_session(session(metadata={"n": {"count": 1}}, context={"c": [1]}, tags=["t"]))
    before = store.get_session("s")

    def change(one: Any) -> Any:
        one.metadata["n"]["count"] += 1
        one.context["c"].append(2)
        one.tags.append("u")
        return one

    changed = store.update_session("s", change)
    assert changed == store.get_session("s")
    assert (changed.metadata, changed.context) == ({"n": {"count": 2}}, {"c": [1, 2]})
    assert changed.tags == ["t", "u"]
    assert before.metadata == {"n": {"count": 1}}


@on_memory
def test_asm_14_what_is_no_session_is_refused(store: Store) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"status": "odd"}, "invalid_status"),
        ({"agent_id": ""}, "validation_error"),
        ({"agent_id": None}, "validation_error"),
        ({"parent_session_id": ""}, "validation_error"),
        ({"id": ""}, "validation_error"),
        ({"metadata": {"x": float("nan")}}, "validation_error"),
        ({"metadata": {1: 2}}, "validation_error"),
        ({"tags": "text"}, "validation_error"),
        *(({name: None}, "validation_error") for name in ("metadata", "context", "tags")),
        ({"created_at": at(0).replace(tzinfo=None)}, "validation_error"),
    ]
    for fields, code in cases:
        with refused(code):
            store.save_session(session(**fields))
    wrong: Any = {"id": "s"}
    with refused("validation_error"):
        store.save_session(wrong)
    assert store.ledger.list_session_ids().session_ids == []


def test_tenants_do_not_see_each_other(open_orchestrator: Callable[..., Store]) -> None:
    ours = open_orchestrator(tenant="ours")
    theirs = another(ours, tenant="theirs")
    ours.save_session(session())
    ours.save_run(run_of(status="running"))
    ours.append_event(event())
    assert (theirs.list_sessions(), theirs.get_events("s")) == ([], [])
    assert (theirs.list_runs("s"), theirs.get_active_run("s")) == ([], None)
    assert theirs.get_latest_sequence("s") == 0
    with refused("run_not_found"):
        theirs.get_run("r")
    theirs.delete_session("s")
    assert ids(ours.list_sessions()) == ["s"]
