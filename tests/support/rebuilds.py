"""What the tests of rebuilds are written with: two versions of a projection, and their rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from ledger import Event, Ledger
from tests.support.blocking import Blocking
from tests.support.views import Tally, tally, tally_apply


class Tally2(Tally, frozen=True, kw_only=True):
    """A tally with one field more."""

    last_sequence: int = 0


def tally2_apply(view: Tally2 | None, event: Event) -> Tally2 | None:
    """Count as the first version does, and remember where."""
    if view is None and (event.type == "thing.dropped" or len(event.data["name"]) > 1):
        return None
    if view is None:
        view = Tally2(tenant=event.tenant, session_id=event.session_id, name=event.data["name"])
    counted: Any = tally_apply(view, event)
    if counted is None:
        return None
    after: Tally2 = msgspec.structs.replace(counted, last_sequence=event.sequence)
    return after


V1 = tally()
V2 = msgspec.structs.replace(V1, version=2, view=Tally2, apply=tally2_apply)
SAME2 = tally(version=2)


@contextmanager
def sync_twin(ledger: Any, url: str) -> Iterator[Ledger]:
    """Lend a sync ledger of the same log, for the rebuild, which has no async twin."""
    if not isinstance(ledger, Blocking):
        yield ledger
    elif url == "memory:":
        yield Ledger(ledger._target.backend.backend)
    else:
        with Ledger.open(url) as opened:
            yield opened


def record_of(views: Any, version: int, name: str = "tally") -> Any:
    """Return what is known of a version."""
    [found] = [v for v in views.versions() if (v.projection, v.version) == (name, version)]
    return found


def doubled_apply(view: Tally | None, event: Event) -> Tally | None:
    """Count every event twice, as a mistake would."""
    counted = tally_apply(view, event)
    return None if counted is None else msgspec.structs.replace(counted, count=counted.count + 1)


def poisoned_apply(view: Tally | None, event: Event) -> Tally | None:
    """Fail at a y."""
    if event.data["name"] == "y":
        raise ZeroDivisionError("poison")
    return tally_apply(view, event)


DOUBLED2 = tally(apply=doubled_apply, version=2)
POISONED2 = tally(apply=poisoned_apply, version=2)
