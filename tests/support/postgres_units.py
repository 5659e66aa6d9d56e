"""Units for the PostgreSQL backend alone, and its calls that happen often."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from ledger.backends.base import FeedQuery, Place, SessionQuery
from ledger.backends.postgres import PostgresBackend
from ledger.digests import bucket_of, genesis
from ledger.records import Draft, Part, Unit

BUCKETS = 64
PATIENCE_S = 60.0


def draft(event_id: str, **fields: Any) -> Draft:
    """Return a draft whose digests are constants: the backend only passes them on."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "type": "test.happened",
        "schema_version": 1,
        "run_id": None,
        "occurred_us": 1,
        "occurred_given": False,
        "actor": None,
        "causation_id": None,
        "correlation_id": None,
        "trace_id": None,
        "span_id": None,
        "metadata": "{}",
        "content_type": "application/json",
        "payload": b"{}",
        "salt": b"s" * 32,
        "payload_digest": b"p" * 32,
        "body_digest": b"b" * 32,
    }
    return Draft(**(values | fields))


def part(
    session_id: str,
    *drafts: Draft,
    tenant: str = "",
    expected: int | None = None,
    incarnation: int | None = None,
) -> Part:
    """Return one session's share of a unit."""
    bucket = bucket_of(tenant, session_id, BUCKETS)
    begin = genesis(tenant, session_id)
    return Part(bucket, tenant, session_id, expected, begin, drafts, incarnation)


def unit(session_id: str, *event_ids: str, **fields: Any) -> Unit:
    """Return a unit of plain events."""
    return Unit((part(session_id, *(draft(one, **fields) for one in event_ids)),))


def hot_calls(backend: PostgresBackend) -> dict[str, tuple[Callable[[], object], set[str]]]:
    """Return the calls that happen often, with the indexes of `events` each may use."""
    bucket = bucket_of("", "s", BUCKETS)
    ids = itertools.count()
    read = SessionQuery(bucket=bucket, tenant="", session_id="s", limit=10)
    newest = SessionQuery(bucket=bucket, tenant="", session_id="s", limit=1, newest_first=True)
    redactions = msgspec.structs.replace(read, types=("content.redacted",))
    feed = FeedQuery(ranges=((bucket, 0, 100), (bucket + 1, 5, 9)), limit=10)

    def fresh() -> list[str]:
        return [f"fresh-{next(ids)}" for _ in range(3)]

    return {
        "append one": (
            lambda: backend.append([unit("s", f"one-{next(ids)}")], wait=False),
            {"events_sequence", "events_event_id"},
        ),
        "append a few": (
            lambda: backend.append(
                [Unit((part("s", *map(draft, fresh()), incarnation=0),))], wait=False
            ),
            {"events_sequence", "events_event_id", "events_deleted"},
        ),
        "append many": (
            lambda: backend.append([unit("s", *fresh()), unit("t", *fresh())], wait=True),
            {"events_sequence", "events_event_id"},
        ),
        "append one to an incarnation": (
            lambda: backend.append(
                [Unit((part("s", draft(f"one-{next(ids)}"), incarnation=0),))], wait=False
            ),
            {"events_sequence", "events_event_id", "events_deleted"},
        ),
        "append many to an incarnation": (
            lambda: backend.append(
                [Unit((part("s", *map(draft, fresh()), incarnation=0),)), unit("t", *fresh())],
                wait=True,
            ),
            {"events_sequence", "events_event_id", "events_deleted"},
        ),
        "read": (lambda: backend.read(read), {"events_sequence", "events_deleted"}),
        "redactions": (lambda: backend.read(redactions), {"events_redacted", "events_deleted"}),
        "newest": (lambda: backend.read(newest), {"events_sequence", "events_deleted"}),
        "get": (lambda: backend.get(bucket, "", "s", "e"), {"events_event_id"}),
        "head": (lambda: backend.head(bucket, "", "s"), {"events_sequence", "events_deleted"}),
        "heads": (
            lambda: backend.heads("", [(bucket, "s"), (bucket, "none"), (bucket + 1, "t")]),
            {"events_sequence", "events_deleted"},
        ),
        "feed": (lambda: backend.feed(feed), {"events_pkey"}),
        "session ids": (
            lambda: backend.session_ids("", 0, "", 10, deleted=False),
            {"events_sequence", "events_deleted", "events_event_id"},
        ),
        "scan": (lambda: backend.scan(Place(bucket, "", "s", 1), 10), {"events_sequence"}),
        "positions": (backend.positions, set()),
    }


def end_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
