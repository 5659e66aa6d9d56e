"""What holds of the snapshot store as a whole; names carry the ids of the lines."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import (
    BackendUnavailable,
    CallError,
    InvalidArgument,
    InvalidEvent,
    LedgerClosed,
    NewEvent,
    RetryableError,
    SequenceConflict,
    StopError,
)
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    ExternalIdTaken,
    SessionBusy,
    SessionChanged,
    SessionId,
    SnapshotUnreadable,
)
from tests.support.agent_sessions import contents, session_of, store_of
from tests.support.builders import on_durable, only_sync
from tests.support.views import views_of


def test_c_w2_a_store_holds_nothing_that_could_be_evicted(ledger: Any) -> None:
    one, other = store_of(ledger), store_of(ledger)
    saved = one.save(session_of())
    assert other.load("s") == saved
    more = other.save(saved.with_message(ChatMessage.user("more")))
    assert one.load("s") == more


@on_durable
def test_c_w2_a_session_outlives_its_process(open_ledger: Callable[..., Any]) -> None:
    first = open_ledger()
    saved = store_of(first).save(session_of(external_id="ext").allowing("x"))
    first.close()
    assert store_of(open_ledger()).load("ext") == saved


def test_c_w4_a_save_that_fails_is_heard_of(open_ledger: Callable[..., Any]) -> None:
    ledger = open_ledger()
    store = store_of(ledger)
    saved = store.save(session_of())
    ledger.close()
    for call in (lambda: store.save(saved.allowing("x")), lambda: store.load("s"), store.list):
        with pytest.raises(LedgerClosed):
            call()


def test_c_w5_a_deletion_says_why_and_leaves_the_evidence(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    assert store.delete("s", reason="asked for") is True
    assert ledger.read("s", deleted=True)[-1].data == {"reason": "asked for"}
    assert ledger.verify().ok


def test_c_w7_an_error_names_the_whole_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = "0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f"
    store.save(session_of(key=key, external_id="ext"))
    with pytest.raises(SequenceConflict, match=key) as caught:
        store.save(session_of(key=key))
    assert isinstance(caught.value, SessionChanged)
    assert str(caught.value).endswith(
        " Nothing was stored: read the session again, change it and save it again, or call `update`."
    )


def test_u_03_an_event_is_stored_once_however_often_it_is_appended(ledger: Any) -> None:
    store = store_of(ledger)
    event = NewEvent({"text": "hi"}, "note")
    assert [store.append_event("s", event) for _ in range(3)] == [1, 1, 1]
    assert len(store.events("s")) == 1


def test_u_03_a_save_with_an_event_that_is_stored_already_goes_on(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    event = NewEvent({"text": "hi"}, "note")
    store.append_event("s", event)
    again = store.save(saved, events=[event])
    assert again.version == ledger.head("s") == saved.version + 1
    assert store.load("s") == again
    store.save(again.with_message(ChatMessage.user("more")), events=[event])
    assert contents(store.load("s"))[-1] == "more"
    assert len(store.events("s", types=["note"])) == 1


def test_u_16_what_is_handed_in_and_out_is_a_copy(ledger: Any) -> None:
    store = store_of(ledger)
    image = {"url": "data:,"}
    saved = store.save(session_of().with_message(ChatMessage.user("Look.", [image])))
    image["url"] = saved.chat_messages[-1].images[0]["url"] = "changed"
    assert store.load("s").chat_messages[-1].images == ({"url": "data:,"},)
    told = {"step": "before_llm", "messages": [{"role": "user"}]}
    store.append_event("s", NewEvent(told, "checkpoint.saved"))
    reads: list[Callable[[], Any]] = [
        lambda: store.checkpoint("s").messages,
        lambda: store.events("s")[-1].data["messages"],
    ]
    for messages in (told["messages"], *(read() for read in reads)):
        messages[0]["role"] = "changed"
        messages.append({})
    assert [read() for read in reads] == [[{"role": "user"}]] * 2


def test_u_17_what_cannot_be_an_id_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.close()  # also when there is no ledger to ask
    keys: list[Any] = ["", "  ", "nul\0", "k" * 1_025, None, 1.5, True]
    for key in keys:
        for call in (
            *(store.load, store.delete, store.events, store.versions),
            *(store.checkpoint, store.checkpoints),
            lambda bad: store.update(bad, lambda one: one),
            lambda bad: store.append_event(bad, NewEvent({}, "note")),
            lambda bad: store.save(AgentSession(id=SessionId(bad))),
        ):
            with pytest.raises((InvalidEvent, InvalidArgument)):
                call(key)
    with pytest.raises(LedgerClosed):
        store.load("s")


@only_sync
def test_u_18_what_to_do_is_told_by_the_type(ledger: Any) -> None:
    # Not found is None or False, an error for nobody.
    kinds = {
        InvalidArgument: CallError,
        SequenceConflict: CallError,
        ExternalIdTaken: CallError,
        SessionBusy: RetryableError,
        BackendUnavailable: RetryableError,
        SnapshotUnreadable: StopError,
    }
    assert all(issubclass(error, kind) for error, kind in kinds.items())
    for one in kinds:
        assert not any(issubclass(one, other) for other in kinds if other is not one)
    for error in (
        ExternalIdTaken("ext", "s"),
        SessionBusy("s", 3),
        SnapshotUnreadable("s", 7, "why"),
    ):
        assert "'s'" in str(error)


def test_u_24_a_redacted_message_leaves_the_session(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of(turns=1))
    secret = views_of(ledger).messages("s")[1]
    redacted = NewEvent({"message_ids": [secret.message_id]}, "content.redacted")
    ledger.append("s", redacted)
    assert contents(store.load("s")) == [one for one in contents(saved) if one != secret.content]
    with pytest.raises(SequenceConflict):  # a session from before would bring it back
        store.save(saved.allowing("x"))


def test_u_25_a_load_reflects_every_event_before_it(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(turns=0))
    for number in range(5):
        answer = ledger.append("s", NewEvent({"role": "user", "content": "x"}, "message.appended"))
        loaded = store.load("s")
        assert (loaded.version, loaded.turn_count) == (answer.sequence, number + 1)
