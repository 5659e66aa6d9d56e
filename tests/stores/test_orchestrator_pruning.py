"""What is pruned is shown by nobody: not by the events, not by a view, not by another store."""

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import NewEvent
from projections import Rebuild
from projections.folds.messages import MESSAGES
from projections.folds.traces import TRACES
from projections.session_stores.orchestrator import AsyncOrchestratorStore, RetentionPolicy
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.snapshot import (
    AgentSession,
    AsyncSnapshotStore,
    ChatMessage,
    SessionId,
    SnapshotStore,
)
from tests.stores.orchestrator_cases import (
    at,
    event,
    events,
    ids,
    numbers,
    queries_of,
    session,
    upkeep_of,
)
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import on_memory
from tests.support.questions import Questions
from tests.support.rebuilds import sync_twin
from tests.support.views import views_of


def pruned(store: Store, most: int, **policy: Any) -> int:
    """Prune session "s" to so many events and return how many went."""
    policy = {"max_events_per_session": most} | policy
    return upkeep_of(store, lambda: at(0)).prune_session_events("s", RetentionPolicy(**policy))


def said(store: Store, type: str, run_id: str | None = None, **data: Any) -> None:
    """Append a fact to session "s" as others do."""
    store.ledger.append("s", NewEvent(data, type, run_id=run_id))


def spans(store: Store) -> set[str]:
    """Return which pieces of work the traces show."""
    return {one.span_id for one in store.views.rows("traces", "s")}


def contents(store: Store) -> list[Any]:
    """Return what the messages view shows."""
    return [one.content for one in store.views.messages("s")]


@pytest.fixture
def snapshots(store: Any) -> SnapshotStore:
    """A snapshot store on the ledger of the orchestrator's."""
    if isinstance(store, Blocking):
        target: AsyncOrchestratorStore = store._target
        return Blocking(AsyncSnapshotStore(target.ledger), store._loop)  # type: ignore[return-value]  # it answers as one
    return SnapshotStore(store.ledger)


def test_pruned_messages_are_in_no_view_and_in_no_other_store(
    store: Store, snapshots: SnapshotStore
) -> None:
    kept = AgentSession(id=SessionId("s"))
    for number in range(5):
        kept = snapshots.save(kept.with_message(ChatMessage.user(f"word{number}")))
    assert pruned(store, 2) == 3
    left = ["word3", "word4"]
    assert [one.data["content"] for one in store.get_events("s")] == left
    assert contents(store) == left
    found = [store.views.search(f"word{number}").items for number in range(5)]
    assert [len(items) for items in found] == [0, 0, 0, 1, 1]
    loaded = snapshots.load("s")
    assert loaded is not None
    assert [one.content for one in loaded.chat_messages] == left
    row = store.views.session("s")
    assert row is not None
    assert row.label is None  # it was the first message
    snapshots.save(loaded.with_message(ChatMessage.user("word5")))
    assert contents(store) == [*left, "word5"]
    assert (pruned(store, 3), pruned(store, 2)) == (0, 1)
    assert contents(store) == ["word4", "word5"]


def test_pruned_calls_are_in_no_trace_and_a_rebuild_shows_no_more(store: Store, url: str) -> None:
    store.save_session(session(status="active"))
    for number in range(3):
        call = {"tool_call_id": f"{number}", "tool_name": "t"}
        store.append_events(
            [
                event(type="message_sent", data={"role": "user", "content": f"word{number}"}),
                event(type="tool_call_started", data=call | {"tool_input": {}}, run_id="r"),
                event(type="tool_call_completed", data=call | {"tool_output": 1}, run_id="r"),
            ]
        )
    assert spans(store) == {"call:r/0", "call:r/1", "call:r/2"}
    assert pruned(store, 4) == 5
    # Of the second call the result is left, and of a row that shows its input nothing is.
    assert [one.type for one in store.get_events("s")] == [
        *("tool_call_completed", "message_sent", "tool_call_started", "tool_call_completed"),
    ]
    assert (contents(store), spans(store)) == (["word2"], {"call:r/2"})
    for one in (MESSAGES, TRACES):
        again = replace(one, version=one.version + 1)
        views = views_of(store.ledger, one, again)
        with sync_twin(store.ledger, url) as here:
            assert Rebuild(here, again).run().built
        assert views.compare(one.name).same
    assert store.views.rows("sessions", "s") == store.views.rows(
        "sessions", "s", as_of=store.ledger.head("s")
    )


def test_a_message_is_pruned_whole_and_its_pieces_without_it(store: Store) -> None:
    said(store, "message.streamed", message_id="m", delta="he")
    said(store, "message.streamed", message_id="m", delta="llo")
    said(store, "message.appended", message_id="m", role="assistant", content="hello")
    said(store, "message.appended", message_id="n", role="user", content="last")
    assert pruned(store, 2) == 2
    assert [one.type for one in store.get_events("s")] == ["message_received", "message_sent"]
    assert contents(store) == ["hello", "last"]
    said(store, "message.streamed", message_id="o", delta="wo")
    said(store, "message.appended", message_id="o", role="assistant", content="word")
    said(store, "message.appended", message_id="p", role="user", content="the last")
    # The answers go first here, and the second takes along the piece that came before it.
    first = {"prune_event_types_first": ["message_received"]}
    assert pruned(store, 3, **first) == 3
    assert [one.data["content"] for one in store.get_events("s")] == ["last", "the last"]
    assert contents(store) == ["last", "the last"]


def test_what_only_shares_a_name_with_what_is_pruned_stays(store: Store) -> None:
    said(store, "turn.started", turn_id="1", user_message="a turn")
    said(store, "span.started", span_id="2", name="a span")
    for id in ("1", "2", "3"):
        said(store, "tool.started", call_id=id, tool_name="t")
    said(store, "message.appended", message_id="e", role="user", content="x")
    store.append_event(event("e", "run_started"))
    said(store, "error.occurred", error_message="m", error_code="c")
    assert pruned(store, 2) == 4
    assert [one.type for one in store.get_events("s")] == ["run_started", "error_occurred"]
    assert (contents(store), spans(store)) == ([], {"turn:1", "call:1", "span:2", "call:2"})
    assert [one.turn_id for one in store.views.rows("turns", "s")] == ["1"]


def test_a_broken_policy_stays_among_the_violations(store: Store) -> None:
    said(store, "policy.violated", policy="p", kind="k")
    said(store, "message.appended", role="user", content="x")
    assert pruned(store, 1) == 1
    assert [one.type for one in store.get_events("s")] == ["message_sent"]
    assert [one.policy for one in store.views.violations("s")] == ["p"]


@pytest.fixture
def questions(store: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch) -> Questions:
    """What is read of the session while it is pruned, and what others do behind each read."""
    return Questions(store.ledger, loop, monkeypatch, "read")


def starts_of_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return behind which event each read of a store's ledger begins, as they are made."""
    backend: Any = store.ledger.backend
    read, starts = backend.read, list[int]()

    def noted(query: Any) -> Any:
        starts.append(query.after)
        return read(query)

    monkeypatch.setattr(backend, "read", noted)
    return starts


def test_a_session_that_others_write_to_is_read_once_and_pruned_as_it_was_then(
    store: Store, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append_events(events(*(f"e{n}" for n in range(10))))
    written = events(*(f"w{n}" for n in range(6)))
    starts = starts_of_reads(store, monkeypatch)
    questions.interrupt({n: [partial(store.append_event, one)] for n, one in enumerate(written, 1)})
    assert pruned(store, 5) == 5
    assert starts == [0, *range(10, 16)]
    questions.interrupt({})
    assert ids(store.get_events("s")) == [*(f"e{n}" for n in range(5, 10)), *ids(written)]
    assert (pruned(store, 5), ids(store.get_events("s"))) == (6, ids(written)[1:])


def test_what_others_prune_or_redact_meanwhile_is_not_pruned_again(
    store: Store, questions: Questions
) -> None:
    store.append_events(events(*(f"e{n}" for n in range(10))))
    redaction = NewEvent({"reason": "x", "sequences": [1, 2, 9]}, "content.redacted")
    for steps, expected, left in (
        ({1: [partial(store.ledger.append, "s", redaction)]}, 1, ["e3", "e4"]),
        ({1: [lambda: pruned(store, 4)]}, 0, ["e5", "e6"]),
    ):
        questions.interrupt(steps)
        assert pruned(store, 6 if expected else 4) == expected
        questions.interrupt({})
        assert ids(store.get_events("s"))[:2] == left
    assert len(store.get_events("s")) == 4


def test_of_a_session_that_is_deleted_meanwhile_its_new_life_is_pruned(
    store: Store, questions: Questions
) -> None:
    def begin_anew(count: int) -> None:
        assert store.ledger.delete("s")
        store.append_events(events(*(f"n{n}" for n in range(count))))

    for count, expected in ((2, 0), (7, 4)):
        store.append_events(events(*(f"e{n}" for n in range(10))))
        questions.interrupt({1: [partial(begin_anew, count)]})
        assert pruned(store, 3) == expected
        questions.interrupt({})
        found = ids(store.get_events("s"))
        assert found == [f"n{n}" for n in range(expected, count)]


def test_what_is_said_meanwhile_of_what_goes_is_heard(store: Store, questions: Questions) -> None:
    said(store, "message.streamed", message_id="m", delta="he")
    said(store, "tool.started", call_id="1", tool_name="t")
    said(store, "message.appended", message_id="n", role="user", content="last")
    say, turn = partial(said, store, "message.appended", message_id="m", role="assistant"), "turn"
    questions.interrupt(
        {
            1: [partial(say, content="hello")],
            2: [partial(said, store, "turn.started", turn_id="1", user_message=turn)],
        }
    )
    # With the message that was said meanwhile its first piece is no message any more, and the call
    # has to go by its event alone, for a redaction of its name would take along the turn.
    assert pruned(store, 1) == 3
    questions.interrupt({})
    assert contents(store) == ["hello"]
    assert spans(store) == {"turn:1", "call:1"}


def test_a_message_stays_when_what_never_goes_is_said_of_it_meanwhile(
    store: Store, questions: Questions
) -> None:
    for name in ("m", "n", "m"):
        said(store, "message.streamed", message_id=name, delta="piece")
    more = partial(said, store, "message.streamed", message_id="m", delta="more")
    begun = event(type="run_started", data={"message_id": "m"})
    questions.interrupt({1: [more], 2: [partial(store.append_event, begun)]})
    assert pruned(store, 2) == 1
    questions.interrupt({})
    assert [one.data.get("message_id") for one in store.get_events("s")] == ["m"] * 4


@on_memory
def test_many_long_names_are_pruned_in_facts_that_fit(store: Store) -> None:
    long = [f"{number:05}{'é' * 250}" for number in range(2_500)]
    store.append_events(
        [event(id, "message_sent", data={"role": "user", "content": id[:5]}) for id in long]
    )
    assert pruned(store, 10) == 2_490
    facts = store.ledger.read("s", types=["content.redacted"])
    assert sum(len(one.data["message_ids"]) for one in facts) == 2_490
    assert contents(store) == [id[:5] for id in long[-10:]]
    assert ids(queries_of(store).search_events().items) == long[-10:]
    assert numbers(store.get_events("s")) == [*range(2_491, 2_501)]
