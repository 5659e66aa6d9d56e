"""A handler's next version: silent about what was handled, and exactly from there on not."""

from typing import Any

import pytest

from projections import HandlerSuperseded
from tests.support.builders import DEADLINE_S, background, note, notes, sessions_in_buckets
from tests.support.handling import Calls, handler, handlers_of
from tests.support.views import TALLY, views_of


def test_the_next_version_goes_on_where_the_one_before_stopped(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=3)
    sessions = sessions_in_buckets(ledger, 3)
    old, new = Calls(), Calls()
    first = handlers_of(ledger, handler(old))
    ledger.append(sessions[0], notes("abc"))
    ledger.append(sessions[1], note("a"))
    first.run()
    # In each bucket it stands elsewhere: behind three, behind one, and one that was empty.
    for session_id in sessions:
        ledger.append(session_id, notes("xyz"))
    for start in ("head", "beginning"):
        second = handlers_of(ledger, handler(new, version=2, start=start))
        second.run()
    assert len(old.keys) == 4
    assert sorted(event.data["text"] for event in new.events) == sorted("xyz" * 3)
    assert {*old.keys}.isdisjoint(new.keys)
    for session_id in sessions:
        ledger.append(session_id, note("later"))
    report = first.run()
    assert (report.called, report.superseded) == (0, ("notify",))
    assert handlers_of(ledger, handler(old)).run().superseded == ("notify",)
    assert second.run().called == 3
    keys = [*old.keys, *new.keys]
    assert len(keys) == len({*keys}) == 16


def test_a_daemon_of_the_version_before_ends_and_says_why(ledger: Any) -> None:
    calls = Calls()
    watching = background(handlers_of(ledger, handler(calls)).watch)
    ledger.append("s", note())
    report = handlers_of(ledger, handler(calls, version=2)).run()
    with pytest.raises(HandlerSuperseded, match="notify") as ended:
        watching.result(DEADLINE_S)
    assert ended.value.handlers == ("notify",)
    assert report.failures == ()
    handlers_of(ledger, handler(calls, version=2)).run()
    assert calls.sequences == [1]


def test_the_next_version_is_called_for_the_event_at_which_the_one_before_stopped(
    ledger: Any,
) -> None:
    ledger.append("s", notes("abc"))
    old, new = Calls(2), Calls()
    handlers_of(ledger, handler(old)).run()
    views = views_of(ledger, TALLY)
    views.catch_up()
    assert not views.status().healthy
    handlers_of(ledger, handler(new, version=3)).run()
    assert (old.sequences, new.sequences) == ([1], [2, 3])
    status = views.status(lag_seconds_max=0)
    assert (status.healthy, status.reasons) == (True, ())
    stands = {(one.projection, one.version): one for one in status.views}
    assert {identity: one.active for identity, one in stands.items()} == {
        ("notify", 1): False,
        ("notify", 3): True,
        ("tally", 1): True,
    }
