"""Queries of the contract as parameters of the statements. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.numeric import Int4, Int8

from ..base import FeedQuery, Place, SessionQuery
from . import arrays
from .arrays import text
from .statements import Statements

_FOR_EVER = 2**63 - 1

# Integers are sent with a fixed width: psycopg's choice by size would make the server prepare a
# statement again for every combination of sizes.


def session(bucket: int, tenant: str, session_id: str) -> dict[str, Any]:
    """Return what names a session."""
    return {"bucket": Int4(bucket), "tenant": tenant, "session_id": session_id}


def read(statements: Statements, query: SessionQuery) -> tuple[bytes, dict[str, Any]]:
    """Return the statement for a query and its parameters."""
    before = _FOR_EVER if query.before is None else query.before
    statement = statements.read_newest_first if query.newest_first else statements.read
    if query.of_redactions:
        statement = statements.read_redactions
    return statement, {
        **session(query.bucket, query.tenant, query.session_id),
        "after": Int8(query.after),
        "before": Int8(before),
        "run_id": query.run_id,
        "types": _types(query.types),
        "since_us": _int8(query.since_us),
        "until_us": _int8(query.until_us),
        "deleted": query.deleted,
        "limit": Int8(query.limit),
    }


def sessions(tenant: str, session_ids: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Return the parameters of `heads`."""
    return {
        "buckets": arrays.int4_array([bucket for bucket, _ in session_ids]),
        "session_ids": arrays.text_elements(
            len(session_ids), [text(session_id) for _, session_id in session_ids]
        ),
        "tenant": tenant,
    }


def feed(query: FeedQuery) -> dict[str, Any]:
    """Return the parameters of `feed`."""
    return {
        "buckets": arrays.int4_array([bucket for bucket, _, _ in query.ranges]),
        "afters": arrays.int8_array([after for _, after, _ in query.ranges]),
        "uptos": arrays.int8_array([upto for _, _, upto in query.ranges]),
        "types": _types(query.types),
        "tenant": query.tenant,
        "limit": Int8(query.limit),
    }


def session_ids(tenant: str, bucket: int, after: str, limit: int, deleted: bool) -> dict[str, Any]:
    """Return the parameters of `session_ids`."""
    return {
        "tenant": tenant,
        "bucket": Int4(bucket),
        "after": after,
        "limit": Int8(limit),
        "deleted": deleted,
    }


def scan(after: Place, limit: int) -> dict[str, Any]:
    """Return the parameters of `scan`."""
    return {
        **session(after.bucket, after.tenant, after.session_id),
        "sequence": Int8(after.sequence),
        "limit": Int8(limit),
    }


def _types(types: tuple[str, ...] | None) -> arrays.TextArray | None:
    if types is None:
        return None
    return arrays.text_elements(len(types), [text(one) for one in types])


def _int8(value: int | None) -> Int8 | None:
    return None if value is None else Int8(value)
