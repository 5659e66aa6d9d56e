"""The facts about the scenarios of a session that is saved, and the steps in them. Pure.

soldier's step history says which steps were entered and not in which scenario; that is found by
where the scenarios stand.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ...folds.scenarios import ACTIVE, HASH_BYTES_MAX, TERMINAL, Scenario
from .drafts import COUNTED_MAX, Draft
from .fields import HISTORY, SCENARIOS, Leaves, leaves_of_rows, same
from .remainders import Shown, Visit

#: The scenario of steps that were entered in one which nobody knows any more.
UNKNOWN = str(UUID(int=0))
#: Session fields that are told by facts about scenarios.
TOLD_BY_SCENARIOS = frozenset(
    {
        *("active_scenario_id", "active_step_id", "active_scenario_version"),
        *("scenario_checksum", "relocalization_count", SCENARIOS, HISTORY),
    }
)
_ENDS = {"completed": "scenario.completed", "cancelled": "scenario.cancelled"}


class Asked:
    """The scenarios of a session that is saved."""

    def __init__(self, wanted: Shown) -> None:
        self.leaves = wanted.leaves
        self.primary: str | None = wanted.leaves["active_scenario_id",]
        instances: dict[str, Any] = {one["scenario_id"]: one for one in wanted.json[SCENARIOS]}
        self.instances = instances
        first = [self.primary] if self.primary is not None else []
        self.ids = list(dict.fromkeys([*first, *instances]))
        #: The primary one, if it was an instance with a status of its own and is none any more.
        self.unlisted: str | None = None

    def status(self, id_: str) -> str:
        """Return the status of a scenario; one that is no instance is played."""
        return str(self.instances.get(id_, {}).get("status", ACTIVE))

    def version(self, id_: str) -> int | None:
        """Return the version in which a scenario is played."""
        instance: dict[str, Any] = self.instances.get(id_, {})
        found: int | None = instance.get("scenario_version")
        if id_ == self.primary and self.leaves["active_scenario_version",] is not None:
            found = self.leaves["active_scenario_version",]
        return found

    def checksum(self, id_: str) -> str | None:
        """Return the checksum of a scenario, which only the primary one has."""
        found: str | None = self.leaves["scenario_checksum",] if id_ == self.primary else None
        return found

    def step(self, id_: str) -> str | None:
        """Return the step at which a scenario stands."""
        if id_ in self.instances:
            return str(self.instances[id_]["current_step_id"])
        found: str | None = self.leaves["active_step_id",]
        return found

    def moment(self, id_: str, name: str) -> datetime | None:
        """Return a time of a scenario, if it is one of those that have times."""
        text = self.instances.get(id_, {}).get(name)
        return None if text is None else datetime.fromisoformat(text)


def tell_scenarios(draft: Draft, wanted: Shown) -> None:
    """Say what changed in a session's scenarios."""
    asked = Asked(wanted)
    before = _places(draft)
    asked.unlisted = _unlisted(draft, asked)
    _start_new(draft, asked)
    entered = _steps(draft, asked, list(before))
    for id_ in asked.ids:
        _restart(draft, asked, id_)
        if id_ not in entered:
            _move(draft, asked, id_)
        if id_ in asked.instances or id_ == asked.unlisted:
            _status(draft, asked, id_)
        if id_ in asked.instances:
            _variables(draft, asked, id_)
    _relocalizations(draft, asked)
    for id_ in _places(draft):
        if id_ not in asked.ids:
            draft.say("scenario.exited", {"scenario_id": id_})


def _unlisted(draft: Draft, asked: Asked) -> str | None:
    id_ = asked.primary
    was_listed = (SCENARIOS, id_, "current_step_id") in draft.leaves
    return id_ if was_listed and id_ not in asked.instances else None


def _places(draft: Draft) -> dict[str, str | None]:
    """Return the scenarios that a reader sees, and the step at which each stands."""
    found = leaves_of_rows(draft.rows, listed=True)
    places = {id_: found[SCENARIOS, id_, "current_step_id"] for id_ in found[SCENARIOS,]}
    primary = found.get(("active_scenario_id",))
    return places if primary is None else {primary: found["active_step_id",]} | places


def _row(draft: Draft, id_: str) -> Scenario | None:
    return next((one for one in draft.rows.scenarios if one.scenario_id == id_), None)


def _start(draft: Draft, asked: Asked, id_: str, at: datetime | None) -> None:
    started: dict[str, Any] = {"scenario_id": id_, "scenario_version": asked.version(id_)}
    if asked.checksum(id_) is not None:
        started["scenario_checksum"] = asked.checksum(id_)
    if id_ == asked.primary:
        started["primary"] = True
    draft.say("scenario.started", started, at)


def _start_new(draft: Draft, asked: Asked) -> None:
    for id_ in asked.ids:
        if _row(draft, id_) is None:
            _start(draft, asked, id_, asked.moment(id_, "started_at"))


def _steps(draft: Draft, asked: Asked, before: list[str]) -> set[str]:
    """Say which steps were entered since; return the scenarios that they are of."""
    entered = set()
    for visit in new_visits(draft.shown.history, draft.steps.given)[-draft.steps.told_max :]:
        id_ = _scenario_of(visit, asked, before)
        if _row(draft, id_) is None:
            draft.say("scenario.started", {"scenario_id": id_, "scenario_version": None})
        row = _row(draft, id_)
        version = asked.version(id_) if id_ in asked.ids or row is None else row.scenario_version
        said = {name: value for name, value in visit.items() if value is not None}
        at = datetime.fromisoformat(said.pop("entered_at"))
        needed = {name: visit[name] for name in ("step_name", "step_content_hash")}
        place = {"scenario_id": id_, "scenario_version": version}
        draft.say("scenario.step_entered", place | needed | said, at)
        entered.add(id_)
    return entered


def new_visits(before: list[Visit], wanted: list[Visit]) -> list[Visit]:
    """Return the visits of a history that came since; of the ones before some may be left out.

    Or it still has those that have been left out of what is stored, before all that are not.
    """
    if same(wanted[: len(before)], before):
        return wanted[len(before) :]
    for size in range(min(len(before), len(wanted)), 0, -1):
        if same(wanted[size - 1], before[-1]) and same(wanted[:size], before[-size:]):
            return wanted[size:]
    for end in range(len(wanted), len(before), -1):
        if same(wanted[end - 1], before[-1]) and same(wanted[end - len(before) : end], before):
            return wanted[end:]
    known = [place for place, one in enumerate(wanted) if any(same(one, old) for old in before)]
    return wanted[known[-1] + 1 :] if known else wanted


def _scenario_of(visit: Visit, asked: Asked, before: list[str]) -> str:
    """Return the scenario that a step belongs to: by where the scenarios stand, or stood."""
    step = visit["step_id"]
    if asked.primary is not None and step == asked.leaves["active_step_id",]:
        return asked.primary
    for id_, instance in asked.instances.items():
        if step == instance["current_step_id"]:
            return id_
    for id_, instance in asked.instances.items():
        if step in instance["visited_steps"]:
            return id_
    candidates = [asked.primary, *(before or asked.ids)] if asked.primary else before or asked.ids
    return next(iter(candidates), None) or UNKNOWN


def _restart(draft: Draft, asked: Asked, id_: str) -> None:
    """Say it if a scenario has another version or another role than before; it keeps its place."""
    row = _row(draft, id_)
    if row is None:
        return
    if row.status in TERMINAL and asked.status(id_) != ACTIVE:
        return  # a start would begin it anew
    now = (row.scenario_version, row.scenario_checksum, row.is_primary)
    role = (asked.version(id_), asked.checksum(id_), id_ == asked.primary)
    is_told = id_ in asked.instances or id_ == asked.unlisted
    if now != role or (row.status in TERMINAL and is_told):
        _start(draft, asked, id_, asked.moment(id_, "last_active_at"))


def _move(draft: Draft, asked: Asked, id_: str) -> None:
    """Say where a scenario stands if the history does not."""
    row, step = _row(draft, id_), asked.step(id_)
    if row is None or step is None:
        return
    visit = _last_visit(draft, asked, id_, step)
    if _stands(row, step, visit) or (not visit and _is_shown(draft, asked, id_, step)):
        return
    entered = {
        "scenario_id": id_,
        "scenario_version": asked.version(id_),
        "step_id": step,
        "step_name": visit.get("step_name"),
        "step_content_hash": visit.get("step_content_hash"),
    }
    draft.say("scenario.step_entered", entered, asked.moment(id_, "last_active_at"))
    draft.hidden.append(draft.sequence)


def _last_visit(draft: Draft, asked: Asked, id_: str, step: str) -> Visit:
    """Return a session's last visit if it is of this step: who returns there is to be found by it."""
    for visit in draft.steps.given[-1:]:
        if visit["step_id"] == step and _scenario_of(visit, asked, []) == id_:
            return visit
    return {}


def _stands(row: Scenario, step: str, visit: Visit) -> bool:
    """Whether a scenario is at a step, with the content that was visited there."""
    now = row.step_content_hash
    content = visit.get("step_content_hash", now)
    # One that the view leaves out would be told again and again.
    left_out = now is None and content is not None and len(content.encode()) > HASH_BYTES_MAX
    return row.step_id == step and (now == content or left_out)


def _is_shown(draft: Draft, asked: Asked, id_: str, step: str | None) -> bool:
    leaves = draft.leaves
    if id_ in asked.instances:
        return same(leaves.get((SCENARIOS, id_, "current_step_id")), step)
    return same([leaves["active_scenario_id",], leaves["active_step_id",]], [id_, step])


def _status(draft: Draft, asked: Asked, id_: str) -> None:
    row, status = _row(draft, id_), asked.status(id_)
    if row is None or row.status == status or row.status in TERMINAL:
        return
    at = asked.moment(id_, "last_active_at")
    if status in _ENDS:
        draft.say(_ENDS[status], {"scenario_id": id_}, at)
    elif status == "paused":
        draft.say("scenario.paused", {"scenario_id": id_}, asked.moment(id_, "paused_at") or at)
    elif status == ACTIVE:
        draft.say("scenario.resumed", {"scenario_id": id_}, at)


def _variables(draft: Draft, asked: Asked, id_: str) -> None:
    row = _row(draft, id_)
    if row is None:
        return
    at, wanted = asked.moment(id_, "last_active_at"), asked.instances[id_]["variables"]
    for name in sorted(row.variables.keys() - wanted.keys()):
        draft.say("variable.unset", {"name": name, "scenario_id": id_}, at)
    for name, value in sorted(wanted.items()):
        if name not in row.variables or not same(row.variables[name], value):
            said = {"name": name, "value": value, "scenario_id": id_}
            draft.say("variable.set", said, at)


def _relocalizations(draft: Draft, asked: Asked) -> None:
    """Say how often the place was lost since, in the scenario that single-scenario readers see."""
    places = [*asked.ids, *_places(draft)]
    if not places:
        return
    leaves: Leaves = draft.leaves
    count = asked.leaves["relocalization_count",] - leaves.get(("relocalization_count",), 0)
    for _ in range(min(count, COUNTED_MAX)):
        draft.say("scenario.relocalized", {"scenario_id": places[0]})
