"""Eight at once on every operation of the snapshot store that reads before it writes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from ledger import SequenceConflict
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    ExternalIdTaken,
    SessionId,
)
from tests.support.agent_sessions import contents, runtime_event, session_of, store_of
from tests.support.builders import together

WRITERS = 8
ROUNDS = 4


def saying(text: str, session: AgentSession) -> AgentSession:
    return session.with_message(ChatMessage.user(text)).allowing(text)


@pytest.fixture
def stores(open_ledger: Callable[..., Any], url: str) -> list[Any]:
    """Eight stores of one ledger; those of a file or a server have connections of their own."""
    # What is in memory is in one ledger's memory.
    count = 1 if url == "memory:" else 3
    ledgers = [open_ledger() for _ in range(count)]
    return [store_of(ledgers[number % count]) for number in range(WRITERS)]


def test_c_13_eight_updates_at_once_lose_none(stores: list[Any]) -> None:
    stores[0].save(session_of(turns=0))

    def write(number: int) -> None:
        for round_ in range(ROUNDS):
            stores[number].update("s", partial(saying, f"{number}.{round_}"))

    assert together([partial(write, number) for number in range(WRITERS)]) == [None] * WRITERS
    expected = {f"{number}.{round_}" for number in range(WRITERS) for round_ in range(ROUNDS)}
    found = stores[0].load("s")
    assert contents(found)[0] == "Be kind."
    assert sorted(contents(found)[1:]) == sorted(expected)
    assert found.always_allowed_actions == expected
    for number in range(WRITERS):
        mine = [text for text in contents(found) if text.startswith(f"{number}.")]
        assert mine == [f"{number}.{round_}" for round_ in range(ROUNDS)]


def test_c_13_of_eight_saves_of_one_version_one_wins(stores: list[Any]) -> None:
    loaded = stores[0].save(session_of())
    saves = [
        partial(store.save, loaded.with_message(ChatMessage.user(f"{number}")))
        for number, store in enumerate(stores)
    ]
    answers = together(saves)
    won = [one for one in answers if isinstance(one, AgentSession)]
    assert len(won) == 1
    assert all(isinstance(one, SequenceConflict) for one in answers if one is not won[0])
    assert stores[1].load("s") == won[0]


def test_c_14_of_eight_that_create_one_session_one_wins(stores: list[Any]) -> None:
    answers = together([partial(store.save, session_of()) for store in stores])
    assert sum(isinstance(one, AgentSession) for one in answers) == 1
    assert sum(isinstance(one, SequenceConflict) for one in answers) == WRITERS - 1
    assert stores[0].load("s").turn_count == 1


def test_c_07_of_eight_that_claim_an_external_id_one_gets_it(stores: list[Any]) -> None:
    claims = [
        partial(store.save, session_of(key=f"s{number}", external_id="ext"))
        for number, store in enumerate(stores)
    ]
    answers = together(claims)
    [won] = [one for one in answers if isinstance(one, AgentSession)]
    assert sum(isinstance(one, ExternalIdTaken) for one in answers) == WRITERS - 1
    assert stores[0].load("ext") == won
    assert [str(one) for one in stores[0].list()] == [str(won.id)]


def test_c_09_eight_that_append_events_lose_none_and_keep_their_orders(stores: list[Any]) -> None:
    def write(number: int) -> list[int]:
        return [
            stores[number].append_event("s", runtime_event("textDelta", text=f"{number}.{n}"))
            for n in range(ROUNDS)
        ]

    answers = together([partial(write, number) for number in range(WRITERS)])
    numbers = sorted(sequence for answer in answers for sequence in answer)  # type: ignore[union-attr] # an error fails here
    assert numbers == list(range(1, WRITERS * ROUNDS + 1))
    stored = {event.sequence: event.data["delta"] for event in stores[0].events("s")}
    for number, answer in enumerate(answers):
        assert [stored[one] for one in answer] == [f"{number}.{n}" for n in range(ROUNDS)]  # type: ignore[union-attr] # as above


def test_c_09_eight_ends_of_one_tool_end_eight_calls(stores: list[Any]) -> None:
    started = runtime_event("toolCallStarted", tool_name="t", args_json="{}")
    for store in stores:
        store.append_event("s", started)
    ended = runtime_event("toolCallFinished", tool_name="t", summary="ok")
    together([partial(store.append_event, "s", ended) for store in stores])
    finished = [event.data["call_id"] for event in stores[0].events("s", types=["tool.finished"])]
    begun = [event.data["call_id"] for event in stores[0].events("s", types=["tool.started"])]
    assert finished == begun  # the oldest open one each time


def test_c_05_of_eight_deletions_one_finds_the_session(stores: list[Any]) -> None:
    stores[0].save(session_of())
    answers = together([partial(store.delete, "s") for store in stores])
    assert sorted(map(str, answers)) == ["False"] * (WRITERS - 1) + ["True"]


def test_a_reader_never_sees_half_a_save(stores: list[Any]) -> None:
    first = stores[0].save(AgentSession(id=SessionId("s")))

    def write() -> None:
        session = first
        for number in range(ROUNDS * 3):
            said = [ChatMessage.user(f"{number}"), ChatMessage.assistant(f"{number}")]
            session = session.with_message(*said).trimmed(2)
            session = msgspec.structs.replace(session, total_tool_calls=number + 1)
            session = stores[0].save(session)

    def read(number: int) -> list[AgentSession]:
        return [stores[number].load("s") for _ in range(ROUNDS * 2)]

    written, *found = together([write, *(partial(read, number) for number in range(1, 4))])
    assert written is None
    for answer in found:
        assert not isinstance(answer, Exception), answer
        for session in answer:
            count = session.total_tool_calls
            wanted = [f"{n}" for n in range(max(0, count - 2), count) for _ in range(2)]
            assert contents(session) == wanted


def test_c_09_eight_that_tell_one_event_at_once_tell_it_once_in_every_life(
    stores: list[Any],
) -> None:
    told = runtime_event("textDelta", text="a")
    for saved in (False, False, True, True):
        if saved:
            stores[0].save(session_of(turns=0))
        calls = [partial(store.append_event, "s", told, event_id="e1") for store in stores]
        [number] = set(together(calls))
        [event] = stores[1].events("s", types=["message.streamed"])
        assert (event.sequence, event.event_id) == (number, "e1")
        assert stores[0].delete("s") is True
