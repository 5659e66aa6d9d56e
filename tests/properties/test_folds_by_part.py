"""What a page makes of a table does not tell in how many parts it was folded."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from ledger.backends.base import FeedQuery
from ledger.catalogue import FACTS, SessionDeleted, SessionForked
from ledger.events import Event
from ledger.plans import run
from projections import Projection
from projections.backends.memory import MemoryViews
from projections.builtin import BUILTIN
from projections.engine import page_folding
from projections.engine.folding import Fold, Folded
from projections.engine.page_folding import fold_page
from projections.engine.tables import Table
from tests.properties.profile import examples
from tests.support.folds import facts

FACTS_SAID = [one for one in FACTS if one not in (SessionDeleted, SessionForked)]
#: Letters name the rows of `Count` that an event touches; None deletes the session.
COUNTED = st.sampled_from(["x", "x", "y", "y", "xy", "-x", "-y"])
BREAKING = st.sampled_from(["x", "y", "!", "?"])
# In a tuple, or each kind of fact would be as likely as all that is counted.
FACT = st.tuples(facts(FACTS_SAID))
SESSIONS = st.sampled_from("ab")
said_before = st.tuples(SESSIONS, st.none() | COUNTED | FACT)
said = st.tuples(SESSIONS, st.none() | COUNTED | BREAKING | FACT | FACT)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A row of plain values, so that each row may be folded by itself."""

    tenant: str
    session_id: str
    name: str
    count: int
    last: int


def keys(event: Event) -> list[tuple[str, ...]]:
    """Return a row for each letter; "?" breaks them."""
    if "?" in event.data["name"]:
        raise ValueError("no keys")
    names = event.data["name"].strip("-")
    return [(event.tenant, event.session_id, name) for name in names]


def apply(view: Count | None, event: Event) -> Count | None:
    """Count one more; "-" takes the row away and "!" breaks the fold."""
    name = event.data["name"]
    if name == "!":
        raise ValueError("no row")
    if name.startswith("-") or (view is None and len(name) > 1):
        return None
    if view is None:
        view = Count(tenant=event.tenant, session_id=event.session_id, name=name, count=0, last=0)
    return msgspec.structs.replace(view, count=view.count + 1, last=event.position)


COUNTS = Projection(
    name="counts",
    version=1,
    view=Count,
    key=("tenant", "session_id", "name"),
    keys=keys,
    apply=apply,
    types=frozenset({"thing.counted"}),
)


class InOrder(Fold):
    """Folds no row by itself."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._are_apart = False


def outcome(folded: Folded) -> Any:
    """Return all that a fold came to, without the order of its rows."""
    change, failure = folded
    assert not {change.table.key_of_row(row) for row in change.rows[: change.fresh]} & {
        change.table.key_of_row(row) for row in change.rows[change.fresh :]
    }
    told = None if failure is None else (failure.position, failure.reason)
    return (
        sorted(change.rows, key=repr),
        set(change.gone),
        set(change.cleared),
        change.after,
        told,
    )


@examples(150)
@given(
    before=st.lists(said_before, max_size=12),
    history=st.lists(said, min_size=1, max_size=30),
    data=st.data(),
)
def test_parts_are_not_seen(before: list[Any], history: list[Any], data: Any) -> None:
    ledger = Ledger.open("memory:")
    views = MemoryViews(ledger.backend)  # type: ignore[arg-type]  # it is a memory ledger
    tables = [Table(projection) for projection in (*BUILTIN, COUNTS)]
    views.prepare(tables)
    skips = {table: frozenset[int]() for table in tables}

    def append(session_id: str, fact: Any) -> None:
        if fact is None:
            ledger.delete(session_id)
        elif isinstance(fact, str):
            ledger.append(session_id, NewEvent({"name": fact}, "thing.counted"))
        else:
            ledger.append(session_id, NewEvent(*fact))

    def folded(start: int, skips: dict[Table, frozenset[int]]) -> list[Folded]:
        [head] = ledger.backend.positions()
        records = ledger.backend.feed(FeedQuery(ranges=((0, start, head),), limit=head - start))
        return run(fold_page(views, ledger.upcasts, 0, start, records, skips, None))

    for session_id, fact in before:
        append(session_id, fact)
    [start] = ledger.backend.positions()
    if start:
        assert views.store(0, [change for change, _ in folded(0, skips) if change.after == start])
    for session_id, fact in history:
        append(session_id, fact)
    found = views.checkpoints(0)
    there = {table: skips[table] for table in tables if found[table.identity].position == start}
    [head] = ledger.backend.positions()
    if head == start:
        return
    sizes = [head, 1, data.draw(st.integers(1, head - start), label="part")]
    with pytest.MonkeyPatch.context() as patch:
        outcomes = []
        for size in sizes:
            patch.setattr(page_folding, "PART_EVENTS", size)
            outcomes.append([outcome(one) for one in folded(start, there)])
        # And as it is when each event goes into all its rows, one after the other.
        patch.setattr(page_folding, "Fold", InOrder)
        outcomes.append([outcome(one) for one in folded(start, there)])
    for other in outcomes[1:]:
        assert other == outcomes[0]
