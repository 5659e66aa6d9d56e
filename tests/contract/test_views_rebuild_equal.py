"""A rebuild makes what incremental folding made, byte for byte, from any history."""

import itertools
import os
import random
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from ledger.catalogue import FACTS, SessionDeleted, SessionForked
from projections import Rebuild, Views
from projections.builtin import BUILTIN
from projections.chat_import import conversations
from projections.chat_import import facts as facts_of
from tests.support.builders import only_sync
from tests.support.folds import at, facts

DATA = Path(os.environ.get("LEDGER_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "airline_sessions.json"
AGAIN = [msgspec.structs.replace(one, version=one.version + 1) for one in BUILTIN]
SESSIONS = st.sampled_from(["a", "b", "c"])
#: Equal moments, and clocks that go backwards.
CLOCKS = st.sampled_from([0, 1, 1, 60, -3_600]).map(at)
FACTS_SAID = [one for one in FACTS if one not in (SessionDeleted, SessionForked)]
said = st.tuples(SESSIONS, st.none() | facts(FACTS_SAID), CLOCKS)

_tenants = itertools.count()

pytestmark = only_sync  # the log and its tables are the same in both styles


def rebuild_all(ledger: Ledger, views: Views) -> None:
    """Rebuild every projection and find it the same, row by row."""
    for old, new in zip(BUILTIN, AGAIN, strict=True):
        assert Rebuild(ledger, new).run().built
        found = views.compare(old.name, old=old.version, new=new.version)
        assert found.differences == (), old.name
        assert (found.old_checksum, found.old_rows) == (found.new_checksum, found.new_rows)
        assert set(found.fields) == set(old.view.__struct_fields__)
        views.drop(new.name, new.version)


@pytest.fixture
def small(open_ledger: Any) -> Any:
    """A ledger of two buckets: each bucket is a round trip for each table."""
    return open_ledger(buckets=2)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # an example takes a second, and shrinking hundreds of them
)
@given(history=st.lists(said, min_size=1, max_size=30), batch=st.sampled_from([1, 3, 500]))
def test_a_rebuild_equals_what_incremental_folding_made(
    small: Ledger, history: list[Any], batch: int
) -> None:
    ledger = small
    Views(ledger).catch_up()  # one version is there first, so that the other is not active
    views = Views(ledger, projections=[*BUILTIN, *AGAIN], batch_events_max=batch)
    tenant = str(next(_tenants))
    for number, (session_id, fact, moment) in enumerate(history):
        if fact is None:
            ledger.delete(session_id, tenant=tenant)
        else:
            ledger.append(session_id, NewEvent(fact, occurred_at=moment), tenant=tenant)
        views.sessions(tenant=tenant)
        if number % 5 == 0:
            views.catch_up()
    views.catch_up()
    rebuild_all(ledger, views)


@pytest.mark.skipif(not FILE.exists(), reason="LEDGER_TEST_DATA does not name the data")
def test_a_rebuild_of_real_sessions_equals_what_incremental_folding_made(
    open_ledger: Any,
) -> None:
    ledger = open_ledger(buckets=8)
    views = Views(ledger, batch_events_max=97)
    chance = random.Random(1)
    for conversation in islice(conversations(FILE.read_bytes(), FILE.stem), 60):
        events = facts_of(conversation)
        while events:
            count = chance.randint(1, 40)
            ledger.append(conversation.session_id, events[:count])
            events = events[count:]
        if chance.random() < 0.5:
            views.catch_up()
    views.catch_up()
    rebuild_all(ledger, Views(ledger, projections=[*BUILTIN, *AGAIN]))
