"""A version that was dropped and comes back with a field of another type."""

from typing import Any

import msgspec
import pytest

from projections import Rebuild
from tests.support.rebuilds import V1, V2, sync_twin
from tests.support.views import Tally, counted, tally_apply, views_of

pytestmark = pytest.mark.usefixtures("new_database")

#: Behind so many the driver prepares a statement, on each of the connections that take turns.
OFTEN = 8


class SpelledTally(msgspec.Struct, frozen=True, kw_only=True):
    """A tally whose count is text."""

    tenant: str
    session_id: str
    name: str
    count: str = "0"
    sequences: list[int] = []


def spelled_apply(view: SpelledTally | None, event: Any) -> SpelledTally | None:
    """Count as a tally does."""
    before = None
    if view is not None:
        before = Tally(**msgspec.structs.asdict(view) | {"count": int(view.count)})
    after = tally_apply(before, event)
    if after is None:
        return None
    return SpelledTally(**msgspec.structs.asdict(after) | {"count": str(after.count)})


SPELLED = msgspec.structs.replace(V1, view=SpelledTally, apply=spelled_apply)


def counts(ledger: Any, views: Any) -> set[Any]:
    """Return what is read in all ways behind one more event."""
    ledger.append("s", [counted(), counted("y"), counted("xy")])
    key = ("", "s", "x")
    rows = [
        views.row_at_head("tally", key).view,
        views.row("tally", key),
        views.row("tally", key),
        views.row("tally", key, consistency="eventual"),
        views.rows("tally", "s")[0],
        views.together("s", ["tally"])["tally"][0],
        views.together_many(["s"], ["tally"])["s"]["tally"][0],
    ]
    return {row.count for row in rows}


def test_it_is_read_as_it_is_now(ledger: Any, url: str) -> None:
    views = views_of(ledger, V1)
    for number in range(1, OFTEN + 1):
        assert counts(ledger, views) == {2 * number}
    with sync_twin(ledger, url) as here:
        owner = views_of(here, V1, V2)
        assert Rebuild(here, V2).run().built
        owner.switch("tally", 2)
        owner.drop("tally", 1)
        assert Rebuild(here, SPELLED).run().built
        views_of(here, SPELLED, V2).switch("tally", 1)
    spelled = views_of(ledger, SPELLED, V2)
    for number in range(OFTEN + 1, 2 * OFTEN):
        assert counts(ledger, spelled) == {str(2 * number)}
