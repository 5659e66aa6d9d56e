"""What is appended and read: tool calls of about 400 bytes, as events and as stored rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from ledger import NewEvent
from ledger.codec import encode_json
from ledger.digests import (
    body_digest,
    bucket_of,
    event_hash,
    genesis,
    meta_digest,
    new_salt,
    payload_digest,
)

BATCH = 100
TYPE = "tool.finished"
START_US = 1_750_000_000_000_000
HEADER = {
    "run_id": "run_01JZ4M7Q8W9E3R5T7Y1U",
    "actor": "agent:support",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
}


def payload(number: int) -> dict[str, Any]:
    """Return the result of a tool call; about 400 bytes when stored."""
    return {
        "call_id": f"call_{number:020d}",
        "tool_name": "search_orders",
        "tool_output": {
            "orders": [
                {"id": number + 1, "state": "shipped", "total": 129.9, "currency": "EUR"},
                {"id": number + 2, "state": "returned", "total": 18.25, "currency": "EUR"},
                {"id": number + 3, "state": "paid", "total": 1204.0, "currency": "EUR"},
            ],
            "next_page": None,
            "truncated": False,
        },
        "summary": "Three orders of the customer, newest first; one was returned last week.",
        "latency_ms": 184.25,
    }


_payloads = cycle([payload(number) for number in range(256)])


def event() -> NewEvent:
    """Return the next event, with an id of its own, as a caller would write it."""
    return NewEvent(next(_payloads), TYPE, **HEADER)


def events(count: int) -> list[NewEvent]:
    """Return several events."""
    return [event() for _ in range(count)]


class Rows:
    """Stored rows of a log that `verify` accepts, made without a ledger, session after session.

    One payload and one salt serve for all, which no digest forbids and which is what makes two
    million rows a matter of seconds.
    """

    def __init__(self, buckets: int, per_session: int, prefix: str = "session") -> None:
        self.ends = [0] * buckets
        self.sessions: list[str] = []
        self._per_session = per_session
        self._prefix = prefix
        self._stored = encode_json(payload(7), "payload")
        self._salt = new_salt()
        self._digest = payload_digest(self._salt, self._stored)

    def take(self, count: int) -> Iterator[tuple[Any, ...]]:
        """Yield rows in the order of the columns; a new session begins with every call."""
        left = count
        while left:
            number = min(left, self._per_session)
            yield from self._session(f"{self._prefix}-{len(self.sessions):08d}", number)
            left -= number

    def _session(self, session_id: str, count: int) -> Iterator[tuple[Any, ...]]:
        bucket = bucket_of("", session_id, len(self.ends))
        position = self.ends[bucket]
        self.ends[bucket] += count
        self.sessions.append(session_id)
        run_id, actor, trace_id, span_id = HEADER.values()
        meta = meta_digest(actor, None, None, trace_id, span_id, "{}")
        content_type = "application/json"
        hash_ = genesis("", session_id)
        for sequence in range(1, count + 1):
            # Shaped and sorted like the UUIDv7 that an event gets by default.
            event_id = f"0197d1c2-{sequence >> 16:04x}-7{sequence & 0xFFF:03x}-8000-{position:012x}"
            position += 1
            at_us = START_US + position
            body = body_digest(
                "",
                session_id,
                event_id,
                at_us,
                TYPE,
                1,
                run_id,
                content_type,
                meta,
                self._digest,
            )
            hash_ = event_hash(hash_, sequence, at_us, body)
            yield (
                bucket,
                position,
                "",
                session_id,
                sequence,
                event_id,
                TYPE,
                1,
                run_id,
                at_us,
                at_us,
                actor,
                None,
                None,
                trace_id,
                span_id,
                "{}",
                content_type,
                self._stored,
                self._salt,
                self._digest,
                hash_,
            )
