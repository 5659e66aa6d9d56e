"""Eight at once on every operation of the conversation store that reads before it writes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import SequenceConflict
from projections.session_stores.conversation import PendingMigration, Session
from tests.support.builders import together
from tests.support.conversations import (
    AGENT,
    SCENARIO,
    TENANT,
    full_session,
    session_of,
    standing,
    store_of,
    uuid,
    visit,
)

WRITERS = 8
ROUNDS = 3
TURNS = {f"{writer}.{round_}" for writer in range(WRITERS) for round_ in range(ROUNDS)}


@pytest.fixture
def stores(open_ledger: Callable[..., Any], url: str) -> list[Any]:
    """Eight stores of one ledger; those of a file or a server have connections of their own."""
    # What is in memory is in one ledger's memory.
    count = 1 if url == "memory:" else 3
    ledgers = [open_ledger() for _ in range(count)]
    return [store_of(ledgers[number % count]) for number in range(WRITERS)]


def take_turn(name: str, session: Session) -> None:
    """Change what a turn changes; whoever overwrites another's turn loses one of all of these."""
    session.turn_count += 1
    session.rule_fires["every"] = session.rule_fires.get("every", 0) + 1
    session.rule_last_fire_turn["every"] = session.turn_count
    session.variables[name] = session.turn_count
    session.step_history.append(visit(session.turn_count, 1, transition_reason=name))


def test_a_w1_eight_that_take_turns_at_once_lose_none(stores: list[Any]) -> None:
    stores[0].save(standing(step_history=[]))

    def write(number: int) -> None:
        for round_ in range(ROUNDS):
            stores[number].update(uuid(100), partial(take_turn, f"{number}.{round_}"))

    assert together([partial(write, number) for number in range(WRITERS)]) == [None] * WRITERS
    found = stores[0].get(uuid(100))
    assert found.turn_count == found.rule_fires["every"] == len(TURNS)
    assert sorted(found.variables.values()) == list(range(1, len(TURNS) + 1))
    assert found.variables.keys() == TURNS
    assert {one.transition_reason for one in found.step_history} == TURNS
    assert [one.turn_number for one in found.step_history] == list(range(1, len(TURNS) + 1))


def test_a_w1_eight_that_keep_what_they_saved_lose_none(stores: list[Any]) -> None:
    stores[0].save(standing(step_history=[]))

    def write(number: int) -> None:
        session = stores[number].get(uuid(100))
        for round_ in range(ROUNDS):
            before = session.model_copy(deep=True)
            take_turn(f"{number}.{round_}", session)
            while not is_saved(stores[number], session):
                # Who is late begins anew, once from what is known to be old.
                session, before = before, stores[number].get(uuid(100))
                take_turn(f"{number}.{round_}", session)

    assert together([partial(write, number) for number in range(WRITERS)]) == [None] * WRITERS
    found = stores[0].get(uuid(100))
    assert found.turn_count == found.rule_fires["every"] == len(TURNS)
    assert found.variables.keys() == TURNS
    assert [one.turn_number for one in found.step_history] == list(range(1, len(TURNS) + 1))


def is_saved(store: Any, session: Session) -> bool:
    try:
        store.save(session)
    except SequenceConflict:
        return False
    return True


def test_a_10_of_eight_saves_of_one_version_one_wins(stores: list[Any]) -> None:
    stores[0].save(full_session())
    loaded = [store.get(uuid(100)) for store in stores]
    for number, session in enumerate(loaded):
        take_turn(f"{number}", session)
    answers = together([partial(s.save, one) for s, one in zip(stores, loaded, strict=True)])
    assert answers.count(uuid(100)) == 1
    assert sum(isinstance(one, SequenceConflict) for one in answers) == WRITERS - 1
    won = loaded[answers.index(uuid(100))]
    found = stores[1].get(uuid(100))
    apart = {"last_activity_at"}
    assert found.model_dump(exclude=apart) == won.model_dump(exclude=apart)


def test_a_05_of_eight_that_begin_one_session_one_wins(stores: list[Any]) -> None:
    sessions = [standing(variables={"of": number}) for number in range(WRITERS)]
    answers = together([partial(s.save, one) for s, one in zip(stores, sessions, strict=True)])
    assert answers.count(uuid(100)) == 1
    assert sum(isinstance(one, SequenceConflict) for one in answers) == WRITERS - 1
    assert stores[0].get(uuid(100)) == sessions[answers.index(uuid(100))]


def test_a_11_sessions_that_are_saved_at_once_are_all_there(stores: list[Any]) -> None:
    sessions = [full_session(100 + number) for number in range(10)]
    saves = [partial(stores[n % WRITERS].save, one) for n, one in enumerate(sessions)]
    answers = together(saves)
    assert answers == [one.session_id for one in sessions]
    assert [stores[0].get(one.session_id) for one in sessions] == sessions


def test_a_49_eight_first_messages_on_a_channel_begin_one_session(stores: list[Any]) -> None:
    def first(number: int) -> Session:
        session = session_of(100 + number, user_channel_id="ana")
        found: Session = stores[number].get_or_create(session)
        return found

    answers = together([partial(first, number) for number in range(WRITERS)])
    assert len({one.session_id for one in answers}) == 1  # type: ignore[union-attr] # an error fails here
    assert len(stores[0].list_by_agent(TENANT, AGENT)) == 1


def test_a_53_marks_and_turns_at_once_both_survive(stores: list[Any]) -> None:
    for number in range(4):
        stores[0].save(standing(100 + number))

    def mark(session: Session) -> None:
        session.pending_migration = PendingMigration(
            target_version=2, anchor_content_hash="hash 1", migration_plan_id=uuid(11)
        )

    def deploy() -> int:
        found = stores[0].find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash 1")
        return len([stores[0].update(one.session_id, mark) for one in found])

    def talk(number: int) -> None:
        for session in range(4):
            stores[number].update(uuid(100 + session), partial(take_turn, f"{number}"))

    answers = together([deploy, *(partial(talk, number) for number in range(1, WRITERS))])
    assert answers == [4, *[None] * (WRITERS - 1)]
    for number in range(4):
        found = stores[0].get(uuid(100 + number))
        assert found.pending_migration.target_version == 2
        assert found.turn_count == len(found.variables) == WRITERS - 1


def test_a_03_of_eight_deletions_one_finds_the_session(stores: list[Any]) -> None:
    stores[0].save(session_of())
    answers = together([partial(store.delete, uuid(100)) for store in stores])
    assert sorted(map(str, answers)) == ["False"] * (WRITERS - 1) + ["True"]


def test_a_reader_never_sees_half_a_save(stores: list[Any]) -> None:
    stores[0].save(standing(step_history=[]))

    def change(session: Session) -> None:
        """Leave nothing of the session before but its counts."""
        take_turn("turn", session)
        session.active_scenario_id = uuid(2_000 + session.turn_count)
        session.active_step_id = uuid(1_001)
        session.step_history = session.step_history[-1:]

    def write() -> None:
        for _ in range(ROUNDS * 4):
            stores[0].update(uuid(100), change)

    def read(number: int) -> list[Session]:
        return [stores[number].get(uuid(100)) for _ in range(ROUNDS * 4)]

    written, *found = together([write, *(partial(read, number) for number in range(1, 4))])
    assert written is None
    for answer in found:
        assert not isinstance(answer, Exception), answer
        for session in answer:  # type: ignore[union-attr] # `written` is the only None
            count = session.turn_count
            if count:
                assert session.active_scenario_id == uuid(2_000 + count)
                assert session.variables == {"turn": count}
                assert [one.turn_number for one in session.step_history] == [count]
