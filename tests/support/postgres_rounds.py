"""Random rounds of units, and the check that a PostgreSQL backend decides on them as the model does."""

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ledger.backends.base import SessionQuery
from ledger.backends.postgres import PostgresBackend
from ledger.digests import bucket_of
from ledger.errors import LedgerError
from ledger.numbering import BucketHead, Numbering
from ledger.records import Unit
from tests.support.postgres_units import BUCKETS, draft, part

IDS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
DRAFTS = st.builds(
    draft,
    IDS,
    type=st.sampled_from(["test.happened"] * 4 + ["session.deleted"]),
    payload=st.sampled_from([b"{}", b"1"]),
    run_id=st.sampled_from([None, "r"]),
    occurred_us=st.integers(0, 1),
    occurred_given=st.booleans(),
    recorded_us=st.integers(0, 2**40),
    body_digest=st.binary(min_size=32, max_size=32),
)
PARTS = st.tuples(
    st.sampled_from(["s", "t", "ü"]),
    st.lists(DRAFTS, min_size=1, max_size=3, unique_by=lambda one: one.event_id),
    st.none() | st.integers(0, 3),
    st.sampled_from([None, None, 0, 1, 2]),
)
UNITS = st.lists(PARTS, min_size=1, max_size=2, unique_by=lambda one: one[0])
ROUNDS = st.lists(st.lists(UNITS, min_size=1, max_size=3), min_size=1, max_size=4)


def each_round(examples: int) -> settings:
    """Return how the check is run: on a database that all examples share."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


_tenants = (f"tenant-{n}" for n in itertools.count())


def _without_shared_ids(units: list[Unit]) -> list[Unit]:
    """Drop units that share an event id with an earlier one: callers never send them."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for one in units:
        ids = {(p.session_id, d.event_id) for p in one.parts for d in p.drafts}
        if not ids & seen:
            kept.append(one)
            seen |= ids
    return kept


def _comparable(outcome: object) -> object:
    if isinstance(outcome, LedgerError):
        return type(outcome), vars(outcome)
    return outcome


def decides_as_numbering_does(
    backend: PostgresBackend, rounds: list[list[list[Any]]], *, wait: bool
) -> None:
    """Append rounds for a tenant of their own, and compare answers, positions and rows."""
    tenant = next(_tenants)
    model = Numbering({n: BucketHead(p, 0) for n, p in enumerate(backend.positions())}, {}, {}, 0)
    for drawn in rounds:
        units = _without_shared_ids(
            [
                Unit(
                    tuple(
                        part(s, *ds, tenant=tenant, expected=e, incarnation=i)
                        for s, ds, e, i in parts
                    )
                )
                for parts in drawn
            ]
        )
        expected = [model.decide(one) for one in units]
        found = backend.append(units, wait=wait)
        assert list(map(_comparable, found)) == list(map(_comparable, expected))
    assert backend.positions() == [model.buckets[n].position for n in range(BUCKETS)]
    for session in ("s", "t", "ü"):
        bucket = bucket_of(tenant, session, BUCKETS)
        query = SessionQuery(
            bucket=bucket, tenant=tenant, session_id=session, limit=100, deleted=True
        )
        assert backend.read(query) == [
            row for row in model.rows if (row.tenant, row.session_id) == (tenant, session)
        ]
