"""Finding the sessions that stand at a step, by scenario, version and content hash.

The steps are found through an index. Whether their sessions have the status, and whether a filter
lets them pass, is then read from the sessions' own rows, a page of them at a time.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ledger import InvalidArgument
from ledger.arguments import natural
from ledger.catalogue import ScopeFilter
from ledger.plans import Plan
from ledger.refusals import shown

from ..backends.row_queries import RowQuery
from ..engine.dropping import outlives_drops
from ..engine.tables import Table
from ..folds.scenarios import ACTIVE, SCENARIOS, Scenario
from ..folds.scripts import SCRIPTS, Script
from ..folds.sessions import SESSIONS, Session
from .arguments import instance
from .arguments import moment as checked_time
from .consistency import Consistency, strong
from .listing_queries import TENANT_LIMIT_MAX, Statuses, statuses, text_filter
from .reading import Reader

PAGE_ROWS = 500


class ScenarioPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario at its step, the session it is in, and the session's script if it has one."""

    scenario: Scenario
    session: Session
    script: Script | None

    @property
    def is_marked(self) -> bool:
        """Whether the session is marked for a migration."""
        return self.script is not None and self.script.migration_marked_at is not None


@outlives_drops
def scenario_positions(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    scenario_id: str,
    scenario_version: int,
    step_content_hash: str,
    status: Statuses | None,
    scope_filter: ScopeFilter | None,
    now: datetime | None,
    limit: int,
    after: ScenarioPosition | None,
) -> Plan[list[ScenarioPosition]]:
    """Return positions, the longest untouched first, then by session id."""
    strong(consistency)
    if natural(limit, "limit") > TENANT_LIMIT_MAX:
        raise InvalidArgument("limit", f"expected at most {TENANT_LIMIT_MAX}, got {limit}")
    query = _query(reader, tenant, scenario_id, scenario_version, step_content_hash, after)
    wanted = None if status is None else statuses(status)
    scope = _checked(scope_filter)
    moment = checked_time(now, "now") or datetime.now(UTC)
    tables = [reader.table(one.name) for one in (SCENARIOS, SESSIONS, SCRIPTS)]
    tables = yield from reader.settle(tables, None, consistency)
    query = msgspec.structs.replace(query, table=tables[0])
    found: list[ScenarioPosition] = []
    seen: set[str] = set()
    while len(found) < limit:
        count = max(PAGE_ROWS, limit - len(found))
        rows: list[Scenario] = yield from reader.select(msgspec.structs.replace(query, limit=count))
        # Who enters the step again meanwhile is behind all others again.
        unseen = [one for one in rows if one.session_id not in seen]
        seen |= {one.session_id for one in unseen}
        for start in range(0, len(unseen), PAGE_ROWS):
            joined = yield from _joined(reader, tables[1:], unseen[start : start + PAGE_ROWS])
            found += [one for one in joined if _is_found(one, wanted, scope, moment)]
        if len(rows) < count or not unseen:
            break
        query = msgspec.structs.replace(query, after=_place(rows[-1]))
    return found[:limit]


def passes(
    scope: ScopeFilter,
    channel: str | None,
    created_at: datetime,
    step_name: str | None,
    now: datetime,
) -> bool:
    """Whether a session at a step is within a filter; all its conditions must hold. Pure."""
    age_days = (now - created_at).days
    return (
        (not scope.include_channels or channel in scope.include_channels)
        and channel not in scope.exclude_channels
        and (not scope.include_current_nodes or step_name in scope.include_current_nodes)
        and step_name not in scope.exclude_current_nodes
        and (scope.max_session_age_days is None or age_days <= scope.max_session_age_days)
        and (scope.min_session_age_days is None or age_days >= scope.min_session_age_days)
    )


def _query(
    reader: Reader,
    tenant: str,
    scenario_id: str,
    scenario_version: int,
    step_content_hash: str,
    after: ScenarioPosition | None,
) -> RowQuery:
    if after is not None:
        instance(after, "after", ScenarioPosition)
    return RowQuery(
        table=reader.table(SCENARIOS.name),
        bucket=None,
        equal=(
            ("tenant", reader.tenant(tenant)),
            text_filter("scenario_id", scenario_id),
            ("scenario_version", natural(scenario_version, "scenario_version")),
            text_filter("step_content_hash", step_content_hash),
            ("status", ACTIVE),
        ),
        order=("last_active_at", "session_id"),
        after=None if after is None else _place(after.scenario),
    )


def _place(scenario: Scenario) -> tuple[datetime, str]:
    return scenario.last_active_at, scenario.session_id


def _checked(scope: ScopeFilter | None) -> ScopeFilter:
    if scope is None:
        return ScopeFilter()
    if not isinstance(scope, ScopeFilter):
        raise InvalidArgument("scope_filter", f"expected a ScopeFilter, got {shown(scope)}")
    if scope.custom_conditions:
        raise InvalidArgument("scope_filter", "nobody evaluates custom_conditions; filter yourself")
    return scope


def _joined(
    reader: Reader, tables: list[Table], page: list[Scenario]
) -> Plan[list[ScenarioPosition]]:
    if not page:
        return []
    ids = [scenario.session_id for scenario in page]
    rows = yield from reader.of_sessions(tables, page[0].tenant, ids)
    return [
        ScenarioPosition(scenario=scenario, session=session, script=next(iter(scripts), None))
        for scenario, (sessions, scripts) in ((one, rows[one.session_id]) for one in page)
        for session in sessions
    ]


def _is_found(
    one: ScenarioPosition, statuses: tuple[str, ...] | None, scope: ScopeFilter, now: datetime
) -> bool:
    session = one.session
    return (
        (statuses is None or session.status in statuses)
        and session.archived_at is None
        and passes(scope, session.channel, session.created_at, one.scenario.step_name, now)
    )
