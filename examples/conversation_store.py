"""A support agent written for soldier: sessions by channel, turns, conflicts, steps, a migration."""

import asyncio
from uuid import uuid4

from ledger import AsyncLedger, SequenceConflict
from ledger.catalogue import ScopeFilter
from projections.session_stores import conversation
from projections.session_stores.conversation import AsyncConversationStore, Session, StepVisit

TENANT, AGENT, REFUND, ASK, PAY = (uuid4() for _ in range(5))
WEB = conversation.Channel.WEBCHAT


def enter(session: Session, step: str) -> None:
    """Take a turn that goes to a step of the refund scenario."""
    place, turn = {"ask": ASK, "pay": PAY}[step], session.turn_count + 1
    session.active_scenario_id, session.active_scenario_version = REFUND, 1
    session.active_step_id, session.turn_count = place, turn
    visit = StepVisit(
        step_id=place, step_name=step, step_content_hash=f"hash of {step}", turn_number=turn
    )
    session.step_history.append(visit)


def mark(session: Session) -> None:
    """Mark a session for the next version of its scenario."""
    session.pending_migration = conversation.PendingMigration(
        target_version=2, anchor_content_hash="hash of pay", migration_plan_id=uuid4()
    )


async def main() -> None:
    async with await AsyncLedger.open("memory:") as ledger:
        store = AsyncConversationStore(ledger, tenant_id=TENANT)
        first = Session(
            tenant_id=TENANT, agent_id=AGENT, channel=WEB, user_channel_id="ana", config_version=1
        )
        # Two first messages at once: both get the same session.
        new = first, first.model_copy(update={"session_id": uuid4()})
        one, other = await asyncio.gather(*map(store.get_or_create, new))
        enter(one, "ask")
        await store.save(one)
        enter(other, "ask")
        try:
            await store.save(other)
        except SequenceConflict as conflict:
            print("refused:", conflict.expected, "is not", conflict.actual)
        await store.update(one.session_id, lambda session: enter(session, "pay"))
        place = (TENANT, REFUND, 1, "hash of pay", ScopeFilter(include_channels=["webchat"]))
        for found in await store.find_sessions_by_step_hash(*place):
            await store.update(found.session_id, mark)
        last = await store.get_by_channel(TENANT, WEB, "ana")
        assert last is not None
        print(last.turn_count, [visit.step_name for visit in last.step_history])
        assert last.pending_migration is not None


asyncio.run(main())
