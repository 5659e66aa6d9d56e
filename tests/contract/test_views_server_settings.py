"""What a database or a role sets by default decides nothing about views."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from ledger import NewEvent
from tests.support.builders import on_postgres, together
from tests.support.views import SAMPLE, TALLY, counted, everything, views_of

pytestmark = pytest.mark.usefixtures("new_database")

SETTINGS = [
    "-c timezone=America/New_York -c extra_float_digits=-3 -c DateStyle=German",
    "-c timezone=Asia/Kathmandu -c default_transaction_isolation=serializable",
]


@pytest.fixture(params=SETTINGS)
def ledger(open_ledger: Any, url: str, request: pytest.FixtureRequest) -> Any:
    """An empty ledger whose connections come with settings of their own."""
    return open_ledger(f"{url}?options={quote(request.param)}")


@on_postgres
def test_every_moment_and_number_comes_back(ledger: Any) -> None:
    made = {
        session: msgspec.structs.replace(
            SAMPLE, session_id=session, moment=moment.replace(tzinfo=UTC), real=1 / 3
        )
        for session, moment in (("first", datetime.min), ("last", datetime.max))
    }
    views = views_of(ledger, everything(lambda event: made[event.session_id]))
    for session, view in made.items():
        ledger.append(session, NewEvent({}, "thing.seen"))
        key = ("", session)
        assert views.row_at_head("everything", key).view == view
        assert views.row("everything", key) == view  # which folds the event
        assert views.row("everything", key) == view
        assert views.row("everything", key, consistency="eventual") == view
        assert views.rows("everything", session) == [view]
        assert views.together(session, ["everything"]) == {"everything": [view]}
    assert views.together_many([*made], ["everything"]) == {
        session: {"everything": [view]} for session, view in made.items()
    }


@on_postgres
def test_nobody_is_refused_because_another_one_folds(ledger: Any) -> None:
    everybody = [views_of(ledger, TALLY) for _ in range(4)]
    reads = [partial(views.row, "tally", ("", "s", "x")) for views in everybody]
    for count in range(1, 41):
        ledger.append("s", counted())
        found = together(reads)
        assert [getattr(view, "count", view) for view in found] == [count] * len(reads)
