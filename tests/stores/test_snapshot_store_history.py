"""What stays of a session's past; names carry the ids of agent-base's lines."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument, NewEvent, Upcasts
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    RunState,
    SessionId,
    SnapshotUnreadable,
    session_of_json,
)
from tests.support.agent_sessions import SYSTEM, contents, session_of, store_of, turn
from tests.support.cognee import each_backend_crossed
from tests.support.views import views_of

GOLDEN = Path(__file__).parent / "golden"


def transcript(ledger: Any) -> list[Any]:
    return [message.content for message in views_of(ledger).messages("s")]


@each_backend_crossed
def test_c_03_every_earlier_save_can_be_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    saves = [store.save(session_of(turns=1))]
    for number in range(3):
        saves.append(store.save(saves[-1].with_message(*turn(f"more {number}")).allowing("x")))
    assert [one.version for one in store.versions("s")] == [one.version for one in saves]
    assert [store.load("s", version=one.version) for one in saves] == saves
    assert store.versions("s")[0].saved_at.tzinfo is not None


@each_backend_crossed
def test_c_03_an_earlier_save_can_be_made_the_current_one(ledger: Any) -> None:
    store = store_of(ledger)
    first = store.save(session_of(turns=1))
    second = store.save(first.with_message(*turn("wrong")))
    back = store.save(msgspec.structs.replace(first, version=second.version))
    assert contents(store.load("s")) == contents(first) == contents(back)
    assert store.load("s", version=second.version) == second


@each_backend_crossed
def test_c_w3_trimming_destroys_no_stored_history(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=5))
    trimmed = store.save(full.trimmed(2))
    assert store.load("s") == trimmed
    assert contents(trimmed) == contents(full)[:1] + contents(full)[-8:]
    assert transcript(ledger) == contents(full)
    # And the next saves go on behind it, trimmed again or not.
    more = store.save(trimmed.with_message(*turn("new")))
    assert store.load("s") == more
    last = store.save(more.trimmed(1))
    assert contents(store.load("s")) == ["Be kind.", *contents(last)[1:]]
    assert transcript(ledger) == [*contents(full), *(one.content for one in turn("new"))]
    assert store.load("s", version=full.version) == full
    deleted = ledger.read("s", types=["message.deleted"])
    assert deleted == []


@each_backend_crossed
def test_c_w3_what_is_popped_or_replaced_stays_in_the_log(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=2))
    popped = store.save(full.without_last_message().with_message(ChatMessage.assistant("better")))
    assert transcript(ledger) == contents(popped) == contents(store.load("s"))
    assert store.load("s", version=full.version) == full


@each_backend_crossed
def test_c_w3_a_new_system_message_changes_no_other(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=3))
    changed = full.with_messages(ChatMessage.system("Be brief."), *full.chat_messages[1:])
    store.save(changed.trimmed(1))
    assert contents(store.load("s"))[:2] == ["Be brief.", "question 2"]
    assert transcript(ledger) == ["Be brief.", *contents(full)[1:]]


@each_backend_crossed
def test_c_w3_whatever_is_saved_is_what_is_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    said = [ChatMessage.user(letter) for letter in "abcd"]
    a, b, c, d = said
    session = store.save(AgentSession(id=SessionId("s")))
    for messages in (
        [SYSTEM, a, b, c],
        [SYSTEM, b, c, d],  # trimmed and gone on
        [SYSTEM, SYSTEM, c, d],
        [c, d, a, a, a],
        [a, a],  # alike
        [a],
        [],
        [b, SYSTEM, c, d],
        [SYSTEM, c, d],
        [SYSTEM, d, a],
        [a, SYSTEM],
    ):
        session = store.save(msgspec.structs.replace(session, chat_messages=tuple(messages)))
        assert store.load("s") == session
        assert session.chat_messages == tuple(messages)


@each_backend_crossed
def test_u_06_messages_come_in_their_order_whatever_the_clocks_say(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(turns=0))
    for number in range(20):
        store.update("s", lambda one, n=number: one.with_message(ChatMessage.user(f"{n}")))
    assert contents(store.load("s")) == ["Be kind.", *(f"{number}" for number in range(20))]


@each_backend_crossed
def test_c_12_a_snapshot_that_is_none_of_ours_is_an_error_of_its_own(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    states: list[Any] = [None, "{", {"format": 2}]
    states += [{"format": 1, "rest_from": "far"}, {"format": 1, "more": 1}]
    for state in states:
        damaged = NewEvent({"name": "agent_session", "state": state}, "snapshot.saved")
        at = ledger.append("s", damaged).sequence
        with pytest.raises(SnapshotUnreadable) as unreadable:
            store.load("s")
        assert (unreadable.value.session_id, unreadable.value.sequence) == ("s", at)
        assert store.load("s", version=saved.version) == saved


@each_backend_crossed
def test_c_11_an_unreadable_session_is_listed_and_reported(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.append("s", NewEvent({"name": "agent_session", "state": 1}, "snapshot.saved"))
    assert store.list() == [SessionId("s")]
    with pytest.raises(SnapshotUnreadable):
        store.load("s")


@each_backend_crossed
def test_c_15_sessions_of_the_first_agent_base_are_understood(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of_json((GOLDEN / "agent_base_0_1.json").read_bytes()))
    assert store.load(42) == saved
    assert contents(saved) == ["Be kind.", "Where is my parcel?", None, "Lyon"]
    assert (saved.total_tool_calls, saved.always_allowed_actions) == (1, {"track"})
    assert saved.run_state == RunState(
        turn_tool_calls=1, nudge_count=2, reasoning_only_strikes=3, empty_response_strikes=4
    )


@each_backend_crossed
def test_c_15_sessions_of_the_last_agent_base_are_understood(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of_json((GOLDEN / "agent_base_0_9.json").read_text()))
    assert store.load("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f") == saved
    assert saved.chat_messages[2].thinking_signature == "sig"
    assert saved.chat_messages[1].images == ({"url": "data:image/png;base64,AA=="},)
    assert saved.run_state.original_thinking_enabled is True
    assert saved.run_state.truncation_strikes == 1


@pytest.mark.parametrize("text", ["[]", "{", "{}", "7", '"text"', "null"])
def test_c_15_what_is_no_session_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        session_of_json(text)


EMPTY = {"chat_messages": [], "always_allowed_actions": [], "total_tool_calls": 0}


@pytest.mark.parametrize("name", EMPTY)
def test_c_15_an_object_without_what_is_always_written_is_no_session(name: str) -> None:
    assert session_of_json(EMPTY) == AgentSession()
    with pytest.raises(InvalidArgument, match=rf"it has no {name}\."):
        session_of_json({key: value for key, value in EMPTY.items() if key != name})
    with pytest.raises(InvalidArgument, match=rf"it has no {', '.join(EMPTY)}\."):
        session_of_json('{"hello": 1}')


@pytest.mark.parametrize(
    "said",
    [
        {"id": 7},
        {"chat_messages": [{"Nobody": {}}]},
        {"chat_messages": [{"User": {"content": "x"}, "more": 1}]},
        {"chat_messages": None},
        {"run_state": 1},
    ],
    ids=str,
)
def test_c_15_what_is_always_written_must_be_understood(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        session_of_json(EMPTY | said)


@each_backend_crossed
def test_c_15_our_first_snapshots_load_for_ever(open_ledger: Any) -> None:
    ledger = open_ledger()
    said = [{"role": "system", "content": "Be kind."}]
    said += [{"role": "user", "content": letter} for letter in "abc"]
    ledger.append("s", [NewEvent(one, "message.appended") for one in said])
    golden = json.loads((GOLDEN / "snapshot_saved_1.json").read_text())
    ledger.append("s", NewEvent(golden, "snapshot.saved"))
    loaded = store_of(ledger).load("s")
    assert contents(loaded) == ["Be kind.", "c"]
    assert (loaded.total_tool_calls, loaded.version) == (7, 5)
    assert loaded.run_state == RunState(nudge_count=2, run_has_tool_calls=True, turn_tool_calls=1)


@each_backend_crossed
def test_c_15_the_stored_form_is_the_golden_one(ledger: Any) -> None:
    store = store_of(ledger)
    said = [ChatMessage.user(letter) for letter in "abc"]
    session = AgentSession(id=SessionId("s")).with_message(SYSTEM, *said)
    session = msgspec.structs.replace(
        session,
        total_tool_calls=7,
        run_state=RunState(nudge_count=2, run_has_tool_calls=True, turn_tool_calls=1),
    )
    store.save(store.save(session).trimmed(1))
    golden = json.loads((GOLDEN / "snapshot_saved_1.json").read_text())
    stored = ledger.read("s", types=["snapshot.saved"])[-1].data
    # session.created came first, and the first save's snapshot last.
    golden["state"] = {"format": 1, "prefix_through": 2, "rest_from": 5}
    assert stored == golden | {"through_sequence": 6}


@each_backend_crossed
@pytest.mark.usefixtures("new_database")  # its upcasts are others
def test_c_15_old_events_are_upcast_before_they_are_understood(open_ledger: Any) -> None:
    upcasts = Upcasts()
    upcasts.register(
        "agent_base.message",
        from_version=1,
        upcaster=lambda old: {"text": old["body"]},
    )
    ledger = open_ledger(upcasts=upcasts)
    store = store_of(ledger)
    store.append_event("s", NewEvent({"body": "hi"}, "agent_base.message", schema_version=1))
    assert [event.data for event in store.events("s")] == [{"text": "hi"}]
