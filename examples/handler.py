"""A handler: mail is sent when a run fails, at least once, and never twice for the same key."""

from ledger import Event, Ledger, NewEvent
from ledger.catalogue import RunFailed, RunStarted
from projections import Handler, Handlers, Views

ledger = Ledger.open("memory:")
outbox: dict[str, str] = {}  # stands for a mail service, which keeps the keys that it has seen


def notify(event: Event, key: str) -> None:
    """Send a mail. If this process dies right behind it, the same call comes again."""
    outbox.setdefault(
        key, f"run {event.run_id} of {event.session_id}: {event.data['error_message']}"
    )
    # An effect inside the ledger happens once: the key is the event's id.
    sent = NewEvent({"about": event.event_id}, "mail.sent", event_id=key)
    ledger.append(event.session_id, sent, tenant=event.tenant)


FAILURES = frozenset({"run.failed"})
handler = Handler(name="notify", version=1, handle=notify, types=FAILURES, start="beginning")
handlers = Handlers(ledger, [handler])  # .watch() goes on as the log grows, .stop() ends it

for number in (1, 2):
    run_id = f"run_{number}"
    ledger.append("ses_1", NewEvent(RunStarted(provider="scripted"), run_id=run_id))
    ledger.append("ses_1", NewEvent(RunFailed(error_message="no such tool"), run_id=run_id))
print(handlers.run().called, "called:", list(outbox.values()))

# What was handled before a checkpoint was kept is handled again, with the same key.
failed = next(event for event in ledger.read("ses_1") if event.type == "run.failed")
notify(failed, handler.key(failed))
assert len(outbox) == len(ledger.read("ses_1", types=["mail.sent"])) == 2

# Better code is a new version: it is silent about what was handled, and goes on from there.
again = Handler(name="notify", version=2, handle=notify, types=FAILURES)
assert Handlers(ledger, [again]).run().called == 0
ledger.append("ses_1", NewEvent(RunFailed(error_message="too slow"), run_id="run_3"))
assert Handlers(ledger, [again]).run().called == 1

# An event that cannot be handled stops the handler there, and everybody's status says so.
ledger.append("ses_1", NewEvent(RunFailed(error_code="7"), run_id="run_4"))
[failure] = Handlers(ledger, [again]).run().failures
print(Views(ledger).status().reasons)
skip = {"bucket": failure.bucket, "position": failure.position}
Handlers(ledger, [again]).skip("notify", **skip, reason="it says nothing", by="kim")
assert Views(ledger).status(lag_seconds_max=None).healthy
