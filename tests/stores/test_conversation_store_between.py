"""What others do between two reads of one call: nobody is answered what does not hold any more."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument
from projections.session_stores.conversation import Session, SessionStatus
from projections.session_stores.conversation.models import OPEN
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import AGENT, SCENARIO, TENANT, session_of, standing, store_of
from tests.support.interrupting import calls_of, interrupted

pytestmark = [on_memory, only_sync]  # the plans are the same everywhere


def close(store: Any, session: Session) -> Callable[[], Any]:
    def change(one: Session) -> None:
        one.status = SessionStatus.CLOSED

    return lambda: store.update(session.session_id, change)


CALLS: dict[str, Callable[[Any, Session], Any]] = {
    "a_04": lambda plans, one: plans.get_by_channel(TENANT, one.channel, one.user_channel_id, OPEN),
    "a_18": lambda plans, one: plans.list_by(
        TENANT, {"agent_id": str(AGENT)}, SessionStatus.ACTIVE, 10, None
    ),
    "a_29": lambda plans, one: plans.find_sessions_by_step_hash(
        TENANT, SCENARIO, 1, "hash 1", None
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_session_that_is_closed_meanwhile_is_not_found(ledger: Any, call: str) -> None:
    store = store_of(ledger)
    for number in range(100, 108):
        session = standing(number)
        store.save(session)
        ask = CALLS[call]
        answer, calls = calls_of(ask(store._plans, session))
        assert answer
        for after in range(1, calls + 1):
            one = standing(1_000 * number + after)
            store.save(one)
            found = interrupted(ask(store._plans, one), after, close(store, one))
            for other in [found] if isinstance(found, Session) else found or []:
                assert after == calls or other.status in OPEN
        close(store, session)()


def test_a_49_what_is_closed_meanwhile_is_not_gone_on_with(ledger: Any) -> None:
    store = store_of(ledger)
    for after in range(1, 4):
        first = session_of(100 + after, user_channel_id=f"u{after}")
        store.save(first)
        new = session_of(200 + after, user_channel_id=f"u{after}")
        plan = store._plans.get_or_create(new, OPEN)
        given = interrupted(plan, after, close(store, first))
        assert given.status in OPEN or after == 3, after


def test_u_17_wrong_arguments_are_refused_by_name(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(100))
    for name, call in (
        ("user_channel_id", lambda: store.get_by_channel(TENANT, "webchat", None)),
        ("user_channel_id", lambda: store.get_by_channel(TENANT, "webchat", 5)),
        ("status", lambda: store.get_by_channel(TENANT, "webchat", "x", statuses=5)),
        ("after", lambda: store.list_by_agent(TENANT, AGENT, after=5)),
        ("events", lambda: store.save(session_of(101), events=5)),
    ):
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == name
