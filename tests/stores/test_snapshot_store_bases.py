"""A save of what was loaded or saved before does not read it, and stores what it would have stored."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Ledger, NewEvent, SequenceConflict
from ledger.plans import run
from projections import APPROVALS, MESSAGES, SESSIONS, SNAPSHOTS, Views
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    RunState,
    SessionId,
    SnapshotStore,
    ToolCall,
)
from projections.session_stores.snapshot.agent_sessions import base_of
from projections.session_stores.snapshot.writing import SnapshotWriting
from tests.properties.profile import SEED, examples
from tests.support.agent_sessions import contents, runtime_event, session_of, store_of, turn
from tests.support.builders import on_memory, only_sync
from tests.support.interrupting import calls_of, interrupted
from tests.support.views import views_of

PROJECTIONS = (SESSIONS, MESSAGES, SNAPSHOTS, APPROVALS)


def test_a_save_of_what_was_loaded_or_saved_is_one_append(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(turns=3, external_id="ext"))
    loaded = store.load("ext")
    session = loaded.with_message(ChatMessage.user("more")).allowing("x")
    changed = [
        lambda one: one.with_message(*turn("new")),
        lambda one: one.trimmed(2),
        lambda one: one.with_message(ChatMessage.user("Look.", [{"url": "data:,"}])),
        lambda one: one.without_last_message(),
        lambda one: one.with_messages(ChatMessage.system("Be brief."), *turn("other")),
    ]
    plans = SnapshotWriting(store._plans.ledger, store._plans.views, "")
    if isinstance(ledger, Ledger):
        session, calls = calls_of(plans.save(session, ()))
        assert calls == 2  # whether what is now allowed was asked for is looked up
        for change in changed:
            session, calls = calls_of(plans.save(change(session), ()))
            assert calls == 1
            assert store.load("s") == session
        told = [runtime_event("textDelta", text="Hi")]
        session, calls = calls_of(plans.save(session.with_message(*turn("told")), told))
        assert calls == 1
    else:
        for change in changed:
            session = store.save(change(session))
            assert store.load("s") == session
    assert base_of(session) == base_of(store.load("s"))


def test_what_was_loaded_before_others_wrote_is_read_again_and_merges_or_conflicts(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    store.save(session_of())
    loaded, stale = store.load("s"), store.load("s")
    ledger.append("s", NewEvent({}, "note"))
    saved = store.save(loaded.with_message(ChatMessage.user("mine")))
    assert saved.version == ledger.head("s") == loaded.version + 3
    for late in (stale, stale.with_message(ChatMessage.user("late"))):  # also if it is as it was
        with pytest.raises(SequenceConflict) as caught:
            store.save(late)
        assert caught.value.actual == saved.version
    store.append_event("s", {"runtimeEventType": "textDelta", "text": "Hi"})
    same = store.save(saved)
    assert (same.version, contents(same)) == (saved.version + 1, contents(saved))
    ledger.append("s", NewEvent({"role": "user", "content": "others"}, "message.appended"))
    with pytest.raises(SequenceConflict):
        store.save(same.trimmed(1))
    store.delete("s")
    with pytest.raises(SequenceConflict):
        store.save(same.trimmed(1))
    store.save(session_of(turns=2))
    assert store.load("s").turn_count == 2


@on_memory
@only_sync
def test_what_a_session_was_is_no_part_of_what_it_says(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of().with_message(ChatMessage.user("Look.", [{"url": "data:,"}])))
    others: list[AgentSession] = [
        pickle.loads(pickle.dumps(saved)),  # noqa: S301 # our own
        copy.deepcopy(saved),
        msgspec.structs.replace(saved),
        msgspec.json.decode(msgspec.json.encode(saved), type=AgentSession),
    ]
    assert base_of(saved) is not None
    for other in others:
        assert base_of(other) is None
        assert (other, repr(other)) == (saved, repr(saved))
        assert msgspec.to_builtins(other) == msgspec.to_builtins(saved)
    for other in others:
        more = store.save(msgspec.structs.replace(other, version=saved.version).closed())
        assert more == saved
    # What is changed inside of a session is not what was stored.
    images: Any = saved.chat_messages[-1].images
    images[0]["url"] = "changed"
    assert store.save(saved).version > saved.version
    assert store.load("s").chat_messages[-1].images == ({"url": "changed"},)


@on_memory
@only_sync
def test_what_another_session_was_is_not_taken_for_this_one(ledger: Any) -> None:
    with Ledger.open("memory:") as other:
        here, there = store_of(ledger), store_of(other)
        saved = here.save(session_of(turns=1))
        there.save(session_of(turns=2))
        again = here.save(session_of(turns=2, key="t"))
        elsewhere = SnapshotStore(ledger, tenant="theirs")
        elsewhere.save(session_of(turns=3))
        for store, key in ((there, "s"), (elsewhere, "s"), (here, "t")):
            base = base_of(saved)
            mixed = msgspec.structs.replace(saved, id=SessionId(key), version=again.version)
            msgspec.structs.force_setattr(mixed, "_base", base)
            stored = store.load(key)
            if stored.version == again.version:
                store.save(mixed)
                assert contents(store.load(key)) == contents(saved)
            else:
                with pytest.raises(SequenceConflict):
                    store.save(mixed)
                assert store.load(key) == stored


@on_memory
@only_sync
def test_whoever_writes_just_before_the_append_is_not_overwritten(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    loaded = store.save(session_of())
    allowing = loaded.allowing("x").with_message(ChatMessage.user("mine"))
    say = partial(ledger.append, "s", NewEvent({"role": "user"}, "message.appended"))
    with pytest.raises(SequenceConflict):
        interrupted(plans.save(allowing, ()), 1, say)


@on_memory
@only_sync
def test_what_is_upcast_when_it_is_read_is_read(ledger: Any) -> None:
    ledger.upcasts.register(
        "message.appended", from_version=1, upcaster=lambda data: data | {"content": "upcast"}
    )
    store = store_of(ledger)
    saved = store.save(session_of(turns=0))
    assert base_of(saved) is None
    assert contents(store.load("s")) == ["upcast"]


CALLED = ChatMessage.assistant(tool_calls=[ToolCall("c", "t", '{"a": 1.0}')])
SAID = st.sampled_from(
    [
        ChatMessage.system("1"),
        ChatMessage.system("2"),
        *(ChatMessage.user(letter) for letter in "ab"),
        ChatMessage(role="user", content=({"n": 1, "deep": [1.5, None]}, "x")),
        ChatMessage.user("", [{"url": "u"}]),
        ChatMessage(role="assistant", content="", reasoning_content="r", thinking_signature="s"),
        ChatMessage(role="assistant", content=None, tool_calls=()),
        ChatMessage.assistant("text"),
        CALLED,
        ChatMessage.tool("c", "done"),
    ]
)
ALLOWED = st.frozensets(st.sampled_from("xyz"))
OTHERS = [
    NewEvent({}, "note"),
    NewEvent({"name": "another", "state": {}}, "snapshot.saved"),
    NewEvent({"role": "user", "content": "others"}, "message.appended"),
    NewEvent(
        {"approval_id": "p", "decision": "allow_always", "action_key": "w"}, "approval.decided"
    ),
    NewEvent({"external_id": "theirs"}, "session.rekeyed"),
]
DONE = st.one_of(
    *[st.tuples(st.just("say"), st.lists(SAID, max_size=4))] * 3,
    st.tuples(st.just("replace"), st.lists(SAID, max_size=4)),
    st.tuples(st.just("trim"), st.integers(1, 3)),
    st.tuples(st.just("pop"), st.none()),
    st.tuples(st.just("allow"), ALLOWED),
    st.tuples(st.just("count"), st.integers(0, 3)),
    st.tuples(st.just("tell"), st.integers(0, len(OTHERS) - 2)),
    st.tuples(st.just("load"), st.none()),
    st.tuples(st.just("others"), st.integers(0, len(OTHERS) - 1)),
    st.tuples(st.just("delete"), st.none()),
)


class Way:
    """One of two ways in which the same is done to a session."""

    def __init__(self, ledger: Ledger, *, reads: bool) -> None:
        self.ledger, self.session = ledger, session_of()
        self.store = store_of(ledger, views=views_of(ledger, *PROJECTIONS))
        if reads:
            self.store._plans._carried = lambda *_: None

    def do(self, what: str, given: Any) -> Any:
        events: list[Any] = []
        changes: dict[str, Callable[[], AgentSession]] = {
            "say": lambda: self.session.with_message(*given),
            "replace": lambda: self._replaced(chat_messages=tuple(given)),
            "trim": lambda: self.session.trimmed(given),
            "pop": self.session.without_last_message,
            "allow": lambda: self._replaced(always_allowed_actions=given),
            "count": lambda: self._replaced(run_state=RunState(nudge_count=given)),
            "tell": lambda: self.session.with_message(ChatMessage.user("told")),
        }
        if what == "load":
            self.session = self.store.load("s") or session_of()
        elif what == "others":
            self.ledger.append("s", msgspec.structs.replace(OTHERS[given], event_id=new_id()))
        elif what == "delete":
            self.store.delete("s")
        else:
            if what == "tell" and OTHERS[given].type != "message.appended":
                events = [msgspec.structs.replace(OTHERS[given], event_id=new_id())]
            try:
                self.session = self.store.save(changes[what](), events=events)
            except SequenceConflict as conflict:
                self.session = self.store.load("s") or session_of()
                return type(conflict), conflict.expected, conflict.actual
        return self.session

    def _replaced(self, **fields: Any) -> AgentSession:
        """Return the session with other fields, which still knows what was stored of it."""
        return self.session._with(**fields)

    def stored(self) -> list[Any]:
        own = {"approval_id": None, "message_id": None}  # new ids everywhere
        return [
            (one.sequence, one.type, one.data | {key: own[key] for key in own if key in one.data})
            for one in self.ledger.read("s", deleted=True)
        ]


def new_id() -> str:
    return NewEvent({}, "note").event_id


@seed(SEED)
@examples(80)
@given(st.lists(DONE, max_size=10))
def test_whatever_is_saved_is_stored_as_if_it_had_been_read_before(
    done: list[tuple[str, Any]],
) -> None:
    with Ledger.open("memory:") as known, Ledger.open("memory:") as looked_up:
        ways = [Way(known, reads=False), Way(looked_up, reads=True)]
        for what, given_ in done:
            one, other = (way.do(what, given_) for way in ways)
            assert one == other
            assert ways[0].stored() == ways[1].stored()
            base = base_of(ways[0].session)
            if base is not None and base.version == known.head("s"):
                found = run(ways[0].store._plans.stored("s"))
                assert found is None or found.base == base
