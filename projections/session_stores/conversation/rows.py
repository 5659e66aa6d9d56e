"""The rows of the views that a conversation is made of, and what one more fact makes of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from ledger.events import JSON_CONTENT_TYPE, Event
from ledger.moments import to_microseconds

from ...engine.projection import Projection
from ...folds.scenarios import SCENARIOS, Scenario
from ...folds.scripts import SCRIPTS, Script
from ...folds.sessions import SESSIONS, Session
from ...folds.snapshots import SNAPSHOTS, Snapshot
from ...folds.step_visits import STEP_VISITS, StepVisit

#: The name under which is kept what no fact of the catalogue can say; see remainders.
REMAINDER = "conversation"
PROJECTIONS = (SESSIONS, SCRIPTS, SCENARIOS, STEP_VISITS, SNAPSHOTS)

Key = tuple[str, ...]
_KEYS: dict[str, Callable[[Any], Key]] = {one.name: attrgetter(*one.key) for one in PROJECTIONS}


class Rows(msgspec.Struct, frozen=True):
    """The rows of one session at one moment, by projection and key."""

    views: Mapping[str, Mapping[Key, Any]] = msgspec.field(
        default_factory=lambda: {one.name: {} for one in PROJECTIONS}
    )

    @property
    def session(self) -> Session | None:
        """The session's own row."""
        return next(iter(self.views[SESSIONS.name].values()), None)

    @property
    def script(self) -> Script | None:
        """What the session remembers beside the places in its scenarios."""
        return next(iter(self.views[SCRIPTS.name].values()), None)

    @property
    def scenarios(self) -> list[Scenario]:
        """The scenarios that can be shown, in the order in which they were started."""
        found: Iterable[Scenario] = self.views[SCENARIOS.name].values()
        shown = [one for one in found if one.missing_since is None and is_uuid(one.scenario_id)]
        return sorted(shown, key=lambda one: (one.first_sequence, one.scenario_id))

    @property
    def visits(self) -> list[StepVisit]:
        """The steps that were entered and can be shown, in order."""
        found: Iterable[StepVisit] = self.views[STEP_VISITS.name].values()
        return sorted((one for one in found if is_uuid(one.step_id)), key=_first)

    @property
    def remainder(self) -> Snapshot | None:
        """What a store kept because no fact says it."""
        kept: Iterable[Snapshot] = self.views[SNAPSHOTS.name].values()
        return next((one for one in kept if one.name == REMAINDER), None)

    def with_last_visits(self, count: int) -> Rows:
        """Return the rows without all but the last so many of the steps that were entered."""
        visits = self.views[STEP_VISITS.name]
        last = sorted(visits.items(), key=lambda item: _first(item[1]))[-count:]
        return Rows({**self.views, STEP_VISITS.name: dict(last)})

    def after(self, event: Event) -> Rows:
        """Return what one more fact makes of the rows, exactly as the views will be folded."""
        return Rows({one.name: _folded(one, self.views[one.name], event) for one in PROJECTIONS})


def rows_of(found: Mapping[str, Iterable[Any]]) -> Rows:
    """Return rows as a reader of several views returns them, by projection."""
    return Rows({name: {key(row): row for row in found[name]} for name, key in _KEYS.items()})


def _first(visit: StepVisit) -> int:
    return visit.first_sequence


def _folded(projection: Projection, rows: Mapping[Key, Any], event: Event) -> Mapping[Key, Any]:
    if projection.types is not None and event.type not in projection.types:
        return rows
    changed = dict(rows)
    for key in projection.keys(event):
        view = projection.apply(changed.pop(key, None), event)
        if view is not None:
            changed[key] = view
    return changed


def event_at(
    key: tuple[str, str], sequence: int, event_id: str, type: str, at: datetime, data: Any
) -> Event:
    """Return the event that a fact will be, as far as folds look at it."""
    occurred_us = to_microseconds(at)
    return Event(
        bucket=0,
        position=0,
        tenant=key[0],
        session_id=key[1],
        sequence=sequence,
        event_id=event_id,
        type=type,
        schema_version=1,
        run_id=None,
        occurred_us=occurred_us,
        recorded_us=occurred_us,
        actor=None,
        causation_id=None,
        correlation_id=None,
        trace_id=None,
        span_id=None,
        metadata={},
        content_type=JSON_CONTENT_TYPE,
        data=data,
        event_hash=b"",
    )


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_uuid(text: str | None) -> bool:
    """Whether an id is the text of a UUID, as soldier's ids are; others are not shown to it."""
    return text is not None and _UUID.fullmatch(text) is not None
