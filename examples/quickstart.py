"""Append what happened, then ask what it means."""

from ledger import Ledger, NewEvent
from ledger.catalogue import MessageAppended, RunFinished, RunStarted, SessionCreated
from projections import Views

with Ledger.open("sqlite:///quickstart.db") as ledger:
    ledger.append(
        "session-1",
        [
            NewEvent(SessionCreated(agent_id="support", status="active"), event_id="e0"),
            NewEvent(RunStarted(model="example-large-1"), event_id="e1", run_id="run-1"),
            NewEvent(
                MessageAppended(role="user", content="What is the capital of Peru?"),
                event_id="e2",
                run_id="run-1",
            ),
            NewEvent(
                MessageAppended(role="assistant", content="Lima."), event_id="e3", run_id="run-1"
            ),
            # Types are an open set: this one is known to nobody but its caller.
            NewEvent({"latency_ms": 412}, "my.measurement", event_id="e4", run_id="run-1"),
            NewEvent(RunFinished(output="Lima."), event_id="e5", run_id="run-1"),
        ],
    )

    for event in ledger.read("session-1"):
        print(event.sequence, event.type, event.data)

    views = Views(ledger)
    [run] = views.runs("session-1")
    print(run.run_id, run.status, run.message_count, run.output)
    assert views.anomalies("session-1") == []  # facts that did not fit what came before
    assert [message.content for message in views.messages("session-1")][-1] == "Lima."
