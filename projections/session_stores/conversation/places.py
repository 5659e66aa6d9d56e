"""Which sessions stand at a step, and within a filter, by what they say themselves. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.catalogue import ScopeFilter

from ...folds.scenarios import ACTIVE, Scenario
from ...readers.scenario_positions import ScenarioPosition, passes
from .fields import MEANT
from .models import Session, SessionStatus
from .rows import Rows

# When a session began, and what its steps are called, what is kept beside its facts may decide.
_SAID_BY_SESSIONS: dict[str, Any] = {
    "include_current_nodes": [],
    "exclude_current_nodes": [],
    "max_session_age_days": None,
    "min_session_age_days": None,
}


def place_at(rows: Rows, scenario_id: str, version: int, step_content_hash: str) -> Scenario | None:
    """Return the active scenario in which an active session stands at a step, if it does."""
    row = rows.session
    if row is None or row.status not in MEANT[SessionStatus.ACTIVE]:
        return None
    asked = scenario_id, version, step_content_hash, ACTIVE
    for one in rows.scenarios:
        if (one.scenario_id, one.scenario_version, one.step_content_hash, one.status) == asked:
            return one
    return None


def decided_by_rows(scope: ScopeFilter | None) -> ScopeFilter | None:
    """Return what of a filter the rows of sessions decide alone; what is none is returned as it is."""
    if not isinstance(scope, ScopeFilter):
        return scope
    return scope.model_copy(update=_SAID_BY_SESSIONS)


def is_row_within(scope: ScopeFilter, one: ScenarioPosition, now: datetime) -> bool:
    """Whether a session is within a filter as far as its rows tell."""
    row = one.session
    return passes(scope, row.channel, row.created_at, one.scenario.step_name, now)


def is_within(
    scope: ScopeFilter | None, session: Session | None, place: Scenario | None, now: datetime
) -> bool:
    """Whether there is a session that has a place, and within a filter if there is one."""
    if session is None or place is None:
        return False
    if scope is None:
        return True
    return passes(scope, session.channel, session.created_at, _step_name(session, place), now)


def _step_name(session: Session, place: Scenario) -> str | None:
    """Return what the session calls the step: as it did last, if it still says that it was there."""
    visits = reversed(session.step_history)
    names = (one.step_name for one in visits if str(one.step_id) == place.step_id)
    return next(names, place.step_name)
