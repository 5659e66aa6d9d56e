"""Rows in memory: which of them a question looks at."""

from __future__ import annotations

from typing import Any

import msgspec

from projections.backends.memory_rows import Bucket
from projections.backends.row_queries import RowQuery, key_query, of_session
from projections.builtin import BUILTIN
from projections.engine.folding import Change
from projections.engine.tables import Table

[RUNS] = [Table(one) for one in BUILTIN if one.name == "runs"]


def row(session_id: str, run_id: str) -> tuple[Any, ...]:
    values = {"tenant": "t", "session_id": session_id, "run_id": run_id}
    return tuple(values.get(name) for name in RUNS.names)


def changed(bucket: Bucket, *rows: tuple[Any, ...], **left: Any) -> None:
    change = Change(RUNS, 0, 1, list(rows), **left)
    bucket.change(change, {RUNS.key_of_row(one): one for one in rows})


def bucket_of(*sessions: str) -> Bucket:
    bucket = Bucket()
    changed(bucket, *(row(one, run_id) for one in sessions for run_id in ("r1", "r2")))
    return bucket


EVERY = RowQuery(table=RUNS, bucket=0, equal=())


def test_a_question_about_a_session_looks_at_its_rows_alone() -> None:
    bucket = bucket_of("a", "b", "c")
    of_b = [row("b", "r1"), row("b", "r2")]
    of_one = msgspec.structs.replace(EVERY, equal=(("tenant", "t"), ("session_id", "b")))
    assert list(bucket.asked(of_one)) == of_b
    assert list(bucket.asked(key_query(RUNS, 0, ("t", "b", "r2")))) == of_b
    assert list(bucket.asked(of_session(of_one, 0, "d"))) == []
    of_tenant = msgspec.structs.replace(EVERY, equal=(("tenant", "t"),))
    assert len(list(bucket.asked(of_tenant))) == 6


def test_rows_go_one_by_one_or_with_their_session() -> None:
    bucket = bucket_of("a", "b", "c")
    changed(bucket, gone=[("t", "a", "r1"), ("t", "c", "r1"), ("t", "c", "r2")])
    changed(bucket, row("b", "r3"), cleared=[("t", "b"), ("t", "never")])
    assert dict(bucket) == {
        ("t", "a", "r2"): row("a", "r2"),
        ("t", "b", "r3"): row("b", "r3"),
    }
    assert len(bucket) == 2
    assert bucket.get(("t", "c", "r1")) is None
    assert ("t", "b", "r1") not in bucket
