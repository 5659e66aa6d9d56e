"""Where scripted conversations stand, and what was allowed in them: readers of AsyncViews."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ledger.catalogue import ScopeFilter
from ledger.plans import arun

from ..folds.allowed_actions import AllowedAction
from ..folds.approvals import REQUESTED, Approval
from ..folds.scenarios import Scenario
from ..folds.scripts import Script
from ..folds.step_visits import StepVisit
from ..folds.violations import Violation
from ..readers.arguments import flag, instance
from ..readers.consistency import Consistency
from ..readers.history_places import Moment
from ..readers.listing_queries import Statuses
from ..readers.scenario_positions import ScenarioPosition
from ..readers.scenario_positions import scenario_positions as positions_plan

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def scenarios(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    status: Statuses | None = None,
    limit: int | None = None,
    consistency: Consistency = "strong",
) -> list[Scenario]:
    """Return a session's scenarios in the order in which they were started.

    `limit` keeps the oldest; None is all. Of several statuses a scenario has one.
    """
    return await arun(
        self._reader.listed(
            "scenarios", (tenant, session_id), consistency, limit=limit, status=status
        )
    )


async def scenario(
    self: AsyncViews,
    session_id: str,
    scenario_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Scenario | None:
    """Return where a session stands in a scenario, None if it is not in it."""
    found: Scenario | None = await arun(
        self._reader.row("scenarios", (tenant, session_id, scenario_id), consistency, as_of)
    )
    return found


async def scenario_positions(
    self: AsyncViews,
    scenario_id: str,
    scenario_version: int,
    step_content_hash: str,
    *,
    tenant: str = "",
    status: Statuses | None = "active",
    scope_filter: ScopeFilter | None = None,
    now: datetime | None = None,
    limit: int = 100,
    after: ScenarioPosition | None = None,
    consistency: Consistency = "strong",
) -> list[ScenarioPosition]:
    """Return active scenarios of active sessions that stand at a step, found through an index.

    The longest untouched come first, then by session id: one that moves while pages are read moves
    behind them, so that none is missed. `after` is the last of the page before. Of sessions with
    another `status`, several or any (None) where that is asked for. Ages in `scope_filter` are
    whole days before `now`, the current time if left out; a filter with `custom_conditions` is
    refused. Archived sessions are left out.
    """
    return await arun(
        positions_plan(
            self._reader,
            tenant,
            consistency,
            scenario_id=scenario_id,
            scenario_version=scenario_version,
            step_content_hash=step_content_hash,
            status=status,
            scope_filter=scope_filter,
            now=now,
            limit=limit,
            after=after,
        )
    )


async def step_visits(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    scenario_id: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[StepVisit]:
    """Return the steps that a session entered, also in scenarios that it has left, in order.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all.
    """
    return await arun(
        self._reader.listed(
            "step_visits",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            scenario_id=scenario_id,
        )
    )


async def script(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Script | None:
    """Return a session's rules, variables and pending migration, None if it never had any."""
    found: Script | None = await arun(
        self._reader.row("scripts", (tenant, session_id), consistency, as_of)
    )
    return found


async def approvals(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    status: Statuses | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[Approval]:
    """Return a session's approvals in the order in which they were first heard of.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all. Of several statuses an
    approval has one.
    """
    return await arun(
        self._reader.listed(
            "approvals",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            status=status,
        )
    )


async def approval(
    self: AsyncViews,
    session_id: str,
    approval_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Approval | None:
    """Return an approval of a session, or None."""
    found: Approval | None = await arun(
        self._reader.row("approvals", (tenant, session_id, approval_id), consistency, as_of)
    )
    return found


async def pending_approvals(
    self: AsyncViews,
    *,
    tenant: str = "",
    limit: int = 100,
    after: Approval | None = None,
    consistency: Consistency = "strong",
) -> list[Approval]:
    """Return the undecided approvals of all sessions of a tenant, the longest waiting first.

    `after` is the last approval of the page before.
    """
    last = None if after is None else instance(after, "after", Approval)
    place = None if last is None else (last.created_at, last.session_id, last.approval_id)
    return await arun(
        self._reader.of_tenant(
            "approvals",
            tenant,
            consistency,
            order=("created_at", "session_id", "approval_id"),
            limit=limit,
            after=place,
            status=REQUESTED,
        )
    )


async def allowed_actions(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    revoked: bool = False,
    consistency: Consistency = "strong",
) -> list[AllowedAction]:
    """Return the actions that are always allowed in a session, by key.

    Revoked ones are left out unless `revoked`.
    """
    return await arun(
        self._reader.rows(
            "allowed_actions",
            (tenant, session_id),
            consistency,
            absent=() if flag(revoked, "revoked") else ("revoked_at",),
        )
    )


async def violations(
    self: AsyncViews,
    session_id: str,
    *,
    tenant: str = "",
    policy: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[Violation]:
    """Return the policies that were broken in a session, in order.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all.
    """
    return await arun(
        self._reader.listed(
            "violations",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            policy=policy,
        )
    )
