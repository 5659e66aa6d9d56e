"""What has to be said so that a stored session becomes the one that is saved. Pure.

The order is that of a turn: who and in which state, scenarios with their steps, what was remembered,
the turn itself, and at last the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ledger import new_event_id

from ...folds.session_status import TERMINAL
from .drafts import COUNTED_MAX, AnyFact, Draft
from .fields import Leaves, is_conversation, same
from .remainders import Remainder, Shown
from .rows import Rows
from .scenarios import tell_scenarios

_IDENTITY = (
    "agent_id",
    "channel",
    "user_channel_id",
    "customer_profile_id",
    "interlocutor_id",
)
_CLOSED = "closed"


def facts_of_save(
    key: tuple[str, str],
    rows: Rows,
    before: Remainder,
    wanted: Shown,
    told: Iterable[AnyFact],
    head: int,
    now: datetime,
    said: Shown | None = None,
) -> Draft:
    """Return the facts to append behind `head`, those that the caller `told` among them.

    `said` is what the rows say with the remainder from `before`, if somebody looked already.
    """
    draft = Draft(key, rows, before, head, now, said)
    _identity(draft, wanted.leaves)
    for fact in told:
        draft.tell(fact)
    status = wanted.leaves["status",]
    if status != _CLOSED:
        _status(draft, status)
    tell_scenarios(draft, wanted)
    _variables(draft, wanted.leaves)
    _rules(draft, wanted.leaves)
    _migration(draft, wanted.leaves)
    _turns(draft, wanted.leaves)
    if status == _CLOSED:
        _status(draft, status)
    draft.keep(wanted)
    draft.finish()
    return draft


def _identity(draft: Draft, wanted: Leaves) -> None:
    row, leaves = draft.rows.session, draft.leaves
    names: dict[str, Any] = {name: wanted[name,] for name in _IDENTITY}
    version = {"config_version": wanted["config_version",]}
    if row is None:
        status = wanted["status",]
        created = {name: value for name, value in names.items() if value is not None} | version
        created["status"] = "active" if status == _CLOSED else status
        draft.say("session.created", created, _moment(wanted["created_at",]))
        return
    changed = {name: value for name, value in names.items() if value != leaves[name,]}
    if changed:
        draft.say("session.rekeyed", changed)
    if wanted["config_version",] != leaves["config_version",] or (
        row.config_version is None and not is_conversation(row)
    ):
        draft.say("session.amended", version)


def _status(draft: Draft, status: str) -> None:
    row = draft.rows.session
    if row is None or status == draft.leaves["status",]:
        return
    reopens = {"reopens": True} if row.status in TERMINAL else {}
    draft.say("session.status_changed", {"status": status} | reopens)


def _variables(draft: Draft, wanted: Leaves) -> None:
    leaves = draft.leaves
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


def _rules(draft: Draft, wanted: Leaves) -> None:
    leaves = draft.leaves
    for path in sorted(_under(wanted, "rule_fires")):
        times = wanted[path] - leaves.get(path, 0)
        if times > 0:
            turn = wanted.get(("rule_last_fire_turn", path[1]), wanted["turn_count",])
            fired = {"rule_id": path[1], "turn_number": turn, "times": times}
            draft.say("rule.fired", fired)


def _migration(draft: Draft, wanted: Leaves) -> None:
    before, mark = draft.leaves["pending_migration",], wanted["pending_migration",]
    if same(before, mark):
        return
    if mark is None:
        draft.say("migration.cleared", {"migration_plan_id": before["migration_plan_id"]})
    else:
        scenario_id = wanted["active_scenario_id",]
        of = {} if scenario_id is None else {"scenario_id": scenario_id}
        draft.say("migration.marked", mark | of)


def _turns(draft: Draft, wanted: Leaves) -> None:
    before = draft.leaves["turn_count",]
    for number in range(before, min(wanted["turn_count",], before + COUNTED_MAX)):
        draft.say("turn.started", {"turn_id": new_event_id(), "turn_number": number + 1})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
