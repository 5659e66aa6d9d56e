"""Run an agent's orchestrator on the ledger: records, numbered events, a long poll, sums."""

from threading import Timer

from msgspec.structs import replace

from ledger import Ledger
from projections.session_stores.orchestrator import (
    EventRecord,
    ExecutionResult,
    OrchestratorMaintenance,
    OrchestratorQueries,
    OrchestratorStore,
    RetentionPolicy,
    RunRecord,
    SessionRecord,
    StoreRefused,
)

with Ledger.open("memory:") as ledger:
    store = OrchestratorStore(ledger)
    session = SessionRecord(agent_id="support", status="active")
    run = RunRecord(session_id=session.id, status="running", provider="scripted")
    store.save_session(session)
    store.save_run(run)

    def said(role: str, content: str) -> EventRecord:
        data = {"role": role, "content": content}
        type = "message_sent" if role == "user" else "message_received"
        return EventRecord(session_id=session.id, run_id=run.id, type=type, data=data)

    asked = store.append_event_with_sequence(said("user", "Where is my parcel?"))
    answer = said("assistant", "In Lyon.")
    Timer(0.1, store.append_event, [answer]).start()
    [heard] = store.get_events(session.id, after=asked.sequence_number or 0, wait_timeout_ms=10_000)
    print(heard.sequence_number, heard.data["content"])

    done = replace(run, status="completed", token_usage={"total_tokens": 30}, cost_usd=0.25)
    store.flush(ExecutionResult(session=replace(session, status="completed"), run=done))
    try:
        store.save_session(session)
    except StoreRefused as error:
        print(error.code)

    queries = OrchestratorQueries(store)
    [found] = queries.search_sessions(provider="scripted").sessions
    print(found.status, queries.get_cost_summary(agent_id="support").total_cost_usd)
    # Views of the same facts, which any other reader of the ledger has too.
    print([message.content for message in store.views.messages(session.id)])
    upkeep = OrchestratorMaintenance(store)
    assert upkeep.soft_delete_expired_sessions(RetentionPolicy()) == 0
    assert upkeep.health_check() == []
