"""The recorded session that `make demo` shows, made the same to the byte every time.

`python -m tests.support.support_session` writes examples/data/support_session.jsonl; a test
compares. A customer asks for an order, then for a refund: the first attempt fails at the payment
provider, a second run succeeds after a human has allowed it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ledger import Ledger, NewEvent
from ledger.backends.base import SessionQuery
from ledger.digests import genesis, payload_digest
from ledger.transfer.format import event_line
from ledger.verify import recompute
from tests.support.exports import sealed

SESSION = "support-4711"
FILE = Path(__file__).resolve().parents[2] / "examples" / "data" / "support_session.jsonl"
START = datetime(2025, 3, 3, 9, 14, 7, tzinfo=UTC)
MODEL = "example-large-1"

Payload = dict[str, Any]


class Recording:
    """Writes facts down while a clock of its own goes on."""

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        self.run: str | None = None
        self._now = START

    def add(self, type: str, after_ms: int = 40, **payload: Any) -> None:
        """Note one fact, so many milliseconds after the one before."""
        self._now += timedelta(milliseconds=after_ms)
        self.events.append(
            NewEvent(
                payload,
                type,
                event_id=f"evt-{len(self.events) + 1:04}",
                run_id=self.run,
                occurred_at=self._now,
                actor="customer-17" if payload.get("role") == "user" else "support-agent",
            )
        )

    def ask(self, number: int, text: str, after_ms: int = 1_000) -> None:
        """Begin a turn with what the customer says."""
        turn: Payload = {"turn_id": f"turn-{number}", "turn_number": number}
        self.add("turn.started", after_ms, user_message=text, **turn)
        self.add("message.appended", role="user", content=text, message_id=f"m-{number}-u", **turn)

    def think(self, span: str, tokens: tuple[int, int], cost_usd: float, ms: int) -> None:
        """Call the model: a span, and what it used."""
        self.add("span.started", span_id=span, name=f"chat {MODEL}", kind="llm")
        self.add("span.finished", ms, span_id=span, status="ok", output={"tokens": sum(tokens)})
        self.add(
            "usage.recorded",
            model=MODEL,
            provider="example",
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            total_tokens=sum(tokens),
            cost_usd=cost_usd,
            latency_ms=float(ms),
        )

    def call(self, turn: int, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        """Let the agent ask for a tool, and start it."""
        asked = {"id": f"call_{call_id}", "name": tool, "arguments": arguments, "call_id": call_id}
        self.add(
            "message.appended",
            role="assistant",
            content=None,
            tool_calls=[asked],
            turn_id=f"turn-{turn}",
            model=MODEL,
        )
        self.add(
            "tool.started",
            call_id=call_id,
            tool_name=tool,
            tool_call_id=f"call_{call_id}",
            tool_input=arguments,
            turn_id=f"turn-{turn}",
        )

    def result(self, call_id: str, tool: str, ms: int, output: Any, text: str) -> None:
        """Finish a tool and show its result to the model."""
        self.add("tool.finished", ms, call_id=call_id, tool_name=tool, tool_output=output)
        self.add("message.appended", role="tool", content=text, tool_call_id=f"call_{call_id}")

    def answer(self, number: int, qa_id: str, question: str, text: str) -> None:
        """Answer, and end the turn."""
        turn: Payload = {"turn_id": f"turn-{number}", "turn_number": number}
        self.add("message.appended", role="assistant", content=text, model=MODEL, **turn)
        self.add("turn.finished", agent_response=text, **turn)
        self.add("qa.recorded", qa_id=qa_id, question=question, answer=text, user_id="customer-17")


def facts() -> list[NewEvent]:
    """Return what happened, in order."""
    log = Recording()
    log.add(
        "session.created",
        0,
        agent_id="support-agent",
        channel="webchat",
        customer_profile_id="customer-17",
        status="active",
        tags=["orders"],
    )
    where = "Where is my order 4711?"
    log.run = "run-1"
    log.add("run.started", agent_id="support-agent", model=MODEL, provider="example")
    log.ask(1, where, 250)
    log.think("llm-1", (412, 31), 0.00182, 640)
    log.call(1, "c1", "lookup_order", {"order": "4711"})
    order = {"order": "4711", "status": "delivered", "item": "stoneware mug", "price_eur": 24.9}
    log.result("c1", "lookup_order", 118, order, "delivered on 27 February")
    log.think("llm-2", (468, 44), 0.00214, 810)
    log.answer(1, "qa-1", where, "Order 4711 was delivered on 27 February. Did it arrive well?")
    log.add("run.finished", stop_reason="end_turn", output="Order 4711 was delivered.")
    log.add("feedback.given", 9_000, qa_id="qa-1", run_id="run-1", score=5, text="quick!")

    broken = "It did, but the mug is broken. I want my money back."
    log.run = "run-2"
    log.add("run.started", 21_000, agent_id="support-agent", model=MODEL, provider="example")
    log.ask(2, broken, 180)
    log.add("span.started", span_id="policy", name="retrieve refund policy", kind="retriever")
    log.add("span.finished", 85, span_id="policy", output={"documents": 2, "best": "refunds.md"})
    log.think("llm-3", (902, 57), 0.00391, 1_120)
    log.call(2, "c2", "refund_payment", {"order": "4711", "amount_eur": 24.9})
    log.add(
        "approval.requested",
        approval_id="approval-1",
        title="Refund 24.90 EUR",
        action_key="refund_payment",
        risk_level="sensitive",
        tool_name="refund_payment",
        call_id="c2",
    )
    log.add("approval.decided", 34_000, approval_id="approval-1", decision="allow_once")
    log.add(
        "tool.failed",
        10_000,
        call_id="c2",
        tool_name="refund_payment",
        error_code="provider_timeout",
        error_message="the payment provider did not answer within 10 s",
    )
    log.add(
        "error.occurred",
        error_message="the payment provider did not answer within 10 s",
        error_code="provider_timeout",
        retryable=True,
    )
    log.add(
        "run.failed",
        error_code="provider_timeout",
        error_message="refund_payment timed out",
    )

    log.run = "run-3"
    log.add("run.started", 5_000, parent_run_id="run-2", agent_id="support-agent", model=MODEL)
    log.call(2, "c3", "refund_payment", {"order": "4711", "amount_eur": 24.9})
    log.add(
        "approval.requested",
        approval_id="approval-2",
        title="Refund 24.90 EUR (second attempt)",
        action_key="refund_payment",
        risk_level="sensitive",
        tool_name="refund_payment",
        call_id="c3",
    )
    log.add(
        "approval.decided",
        12_000,
        approval_id="approval-2",
        decision="allow_always",
        action_key="refund_payment",
    )
    log.result("c3", "refund_payment", 930, {"refund": "R-88120"}, "refunded as R-88120")
    log.add("error.recovered", error_code="provider_timeout", recovery="second attempt")
    log.think("llm-4", (1_011, 63), 0.00446, 990)
    log.answer(2, "qa-2", broken, "I am sorry. 24.90 EUR are on their way to you, as R-88120.")
    log.add("run.finished", stop_reason="end_turn", output={"refund": "R-88120"})
    log.add("feedback.given", 15_000, qa_id="qa-2", run_id="run-3", score=4, text="took a while")
    log.run = None
    log.add("session.tagged", added=["refund"])
    log.add("session.status_changed", status="completed", reason="the customer left")
    return log.events


def lines() -> list[bytes]:
    """Return the whole file: times and salts, which a ledger picks itself, are fixed here."""
    with Ledger.open("memory:") as ledger:
        ledger.append(SESSION, facts())
        query = SessionQuery(bucket=0, tenant="", session_id=SESSION, limit=10_000)
        records = ledger.backend.read(query)
    previous = genesis("", SESSION)
    found = []
    for record in records:
        salt = sha256(record.event_id.encode()).digest()
        record = msgspec.structs.replace(
            record,
            recorded_us=record.occurred_us + 2_800,
            salt=salt,
            payload_digest=payload_digest(salt, record.payload),
        )
        record = msgspec.structs.replace(record, event_hash=recompute(record, previous))
        found.append(event_line(record, previous if record.sequence == 1 else None))
        previous = record.event_hash
    return sealed(found)


if __name__ == "__main__":
    FILE.write_bytes(b"".join(lines()))
