"""What has to be said so that a stored session becomes the one that is saved. Pure.

The order is that of a turn: who and in which state, scenarios with their steps, what was remembered,
the turn itself, and at last the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ledger import new_event_id

from ...folds.session_status import TERMINAL
from .changes import IDENTITY
from .drafts import COUNTED_MAX, Draft, Steps, Told
from .fields import Leaves, is_conversation, same
from .remainders import Remainder, Shown
from .rows import Rows
from .scenarios import TOLD_BY_SCENARIOS, tell_scenarios

_CLOSED = "closed"


def facts_of_save(
    key: tuple[str, str],
    rows: Rows,
    before: Remainder,
    wanted: Shown,
    steps: Steps,
    told: Iterable[Told],
    head: int,
    now: datetime,
    said: Shown | None = None,
    *,
    touched: bool = False,
) -> Draft:
    """Return the facts to append behind `head`, those that the caller `told` among them.

    `said` is what the rows say with the remainder from `before`, if somebody looked already. A
    session that was `touched` has facts, if only one of its last activity.
    """
    draft = Draft(key, rows, before, wanted, steps, head, now, said)
    _begin(draft, wanted.json)
    for fact in told:
        draft.tell(fact)
    # Behind what is told, which may say otherwise: a session is found by what it says itself.
    _identity(draft, wanted.json)
    status = wanted.json["status"]
    if status != _CLOSED:
        _status(draft, status)
    # Most saves change one field or two: to look at all leaves took a sixth of a save's time.
    for fields, tell in _TOLD:
        if not draft.differing.isdisjoint(fields):
            tell(draft, wanted)
    if status == _CLOSED:
        _status(draft, status)
    draft.keep()
    draft.finish(touched=touched)
    return draft


def _begin(draft: Draft, wanted: Mapping[str, Any]) -> None:
    if draft.rows.session is not None:
        return
    said = {name: wanted[name] for name in IDENTITY if wanted[name] is not None}
    status = "active" if wanted["status"] == _CLOSED else wanted["status"]
    created = said | {"config_version": wanted["config_version"], "status": status}
    draft.say("session.created", created, _moment(wanted["created_at"]))


def _identity(draft: Draft, wanted: Mapping[str, Any]) -> None:
    row, differing = draft.rows.session, draft.differing
    changed = {name: wanted[name] for name in IDENTITY if name in differing}
    if changed:
        draft.say("session.rekeyed", changed)
    unsaid = row is not None and row.config_version is None and not is_conversation(row)
    if unsaid or "config_version" in differing:
        draft.say("session.amended", {"config_version": wanted["config_version"]})


def _status(draft: Draft, status: str) -> None:
    row = draft.rows.session
    if row is None or "status" not in draft.differing:
        return
    reopens = {"reopens": True} if row.status in TERMINAL else {}
    draft.say("session.status_changed", {"status": status} | reopens)


def _variables(draft: Draft, session: Shown) -> None:
    leaves, wanted = draft.leaves, session.leaves
    for path in sorted(_under(leaves, "variables") - _under(wanted, "variables")):
        draft.say("variable.unset", {"name": path[1]})
    for path in sorted(_under(wanted, "variables")):
        updated = ("variable_updated_at", path[1])
        moment = wanted.get(updated)
        changed = path not in leaves or not same(wanted[path], leaves[path])
        # One that was set again to what it was is a fact, too, but one that only lost its time is not.
        if changed or (moment is not None and moment != leaves.get(updated)):
            at = None if moment is None else _moment(moment)
            draft.say("variable.set", {"name": path[1], "value": wanted[path]}, at)


def _under(leaves: Leaves, name: str) -> set[tuple[str, ...]]:
    return {path for path in leaves if path[0] == name and len(path) > 1}


def _rules(draft: Draft, session: Shown) -> None:
    leaves, wanted = draft.leaves, session.leaves
    for path in sorted(_under(wanted, "rule_fires")):
        times = wanted[path] - leaves.get(path, 0)
        if times > 0:
            turn = wanted.get(("rule_last_fire_turn", path[1]), wanted["turn_count",])
            fired = {"rule_id": path[1], "turn_number": turn, "times": times}
            draft.say("rule.fired", fired)


def _migration(draft: Draft, session: Shown) -> None:
    before, mark = draft.shown.json["pending_migration"], session.json["pending_migration"]
    if mark is None:
        draft.say("migration.cleared", {"migration_plan_id": before["migration_plan_id"]})
    else:
        scenario_id = session.json["active_scenario_id"]
        of = {} if scenario_id is None else {"scenario_id": scenario_id}
        draft.say("migration.marked", mark | of)


def _turns(draft: Draft, session: Shown) -> None:
    before, count = draft.shown.json["turn_count"], session.json["turn_count"]
    for number in range(before, min(count, before + COUNTED_MAX)):
        draft.say("turn.started", {"turn_id": new_event_id(), "turn_number": number + 1})


# In this order: fields, and what says how they changed.
_TOLD: tuple[tuple[frozenset[str], Callable[[Draft, Shown], None]], ...] = (
    (TOLD_BY_SCENARIOS, tell_scenarios),
    (frozenset({"variables", "variable_updated_at"}), _variables),
    (frozenset({"rule_fires"}), _rules),
    (frozenset({"pending_migration"}), _migration),
    (frozenset({"turn_count"}), _turns),
)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
