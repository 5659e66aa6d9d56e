"""Saved runs as facts, and the view of a run as what was saved. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger import NewEvent

from ...folds.runs import TERMINAL, Run
from ...folds.sums import NANO_USD, TOKEN_KINDS, nano_usd
from .errors import StoreRefused
from .records import RunRecord, missing, same

# Status -> what may follow it; a run may end badly before it starts.
_TRANSITIONS = {"pending": {"running"} | TERMINAL - {"completed"}, "running": TERMINAL}
_ENDS = {
    "completed": "run.finished",
    "failed": "run.failed",
    "cancelled": "run.cancelled",
    "timeout": "run.timed_out",
}
ENDINGS = frozenset(_ENDS.values())
_BEGINNING = ("provider", "input", "metadata", "provider_metadata")
_AMENDED = (*_BEGINNING, "output", "error", "turn_count")


def run_record(run: Run) -> RunRecord:
    """Return a run as an orchestrator keeps it."""
    return RunRecord(
        id=run.run_id,
        session_id=run.session_id,
        status=run.status,
        input=run.input,
        output=run.output,
        error=run.error,
        metadata=run.metadata,
        turn_count=run.turn_count,
        token_usage=run.token_usage,
        cost_usd=run.cost_usd,
        started_at=run.created_at,
        ended_at=run.ended_at,
        provider=run.provider,
        provider_metadata=run.provider_metadata,
    )


def is_saved(run: Run | None) -> bool:
    """Whether somebody created, started or ended the run; events that name it make none."""
    return run is not None and (run.created_sequence is not None or run.status != "pending")


def saved_record(run: Run | None, run_id: str) -> RunRecord:
    """Return a run as an orchestrator keeps it, if it was saved."""
    if run is None or not is_saved(run):
        raise missing("run_not_found", "Run", run_id)
    return run_record(run)


def run_facts(run: Run | None, record: RunRecord, *, enforced: bool) -> list[NewEvent]:
    """Return what happened to a run if it is to be as a record says; nothing if it is so.

    Tokens and cost that were added are told as usage, so that the sums of the session and of its
    models have them too; those that became less are only set. What is told with a run's end
    happened then, with its beginning likewise, and all else when it is saved.
    """
    facts: list[NewEvent] = []
    current = _defaults() if run is None else {name: getattr(run, name) for name in _AMENDED}
    status = "pending" if run is None else run.status
    if not is_saved(run):
        begins = {name: getattr(record, name) for name in _BEGINNING if getattr(record, name)}
        # The first fact only fills what others have left empty.
        current |= {name: said for name, said in begins.items() if current[name] in (None, {})}
        if record.status in ("running", "completed"):
            status = "running"
        type = "run.started" if status == "running" else "run.created"
        facts.append(_fact(type, begins, record, record.started_at))
    elif enforced and record.status not in (status, *_TRANSITIONS.get(status, ())):
        message = f"Run {record.id!r} is {status}, {record.status} does not follow"
        raise StoreRefused("invalid_transition", message)
    elif run is not None and run.created_sequence is None and record.status == "pending":
        # Of a run that only ended nothing would be left that tells it from one nobody saved.
        facts.append(_fact("run.created", {}, record, record.started_at))
    at = _told_at(run, status, record)
    used = _usage(run, record, at)
    facts += [used] if used is not None else []
    told, ending = _ending(status, record)
    amended = {
        name: getattr(record, name)
        for name in _AMENDED
        if name not in told and not same(getattr(record, name), current[name])
    }
    amended |= _times(run, record, status)
    facts += [_fact("run.amended", amended, record, at)] if amended else []
    return facts + ending


def _told_at(run: Run | None, status: str, record: RunRecord) -> datetime | None:
    if status not in TERMINAL and record.status in TERMINAL and record.ended_at is not None:
        # A run that is stored long after it ended used nothing on the day when that is done.
        return record.ended_at
    return None if is_saved(run) else record.started_at


def _defaults() -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(_AMENDED)
    return empty | {"metadata": {}, "provider_metadata": {}, "turn_count": 0}


def _ending(status: str, record: RunRecord) -> tuple[set[str], list[NewEvent]]:
    """Return the fields that the facts tell which change the status, and these facts."""
    target = record.status
    if target == status:
        return set(), []
    if status in TERMINAL or target == "pending":  # no fact says so, only a record without rules
        return set(), [_fact("run.amended", {"status": target}, record)]
    if target == "running":
        return set(), [_fact("run.started", {}, record)]
    began = []
    if (status, target) == ("pending", "completed"):
        # Told as of now, it would begin behind its end, and have taken no time.
        began = [_fact("run.started", {}, record, record.started_at)]
    told: dict[str, Any] = {}
    if target == "completed":
        told = {"output": record.output}
    elif target == "failed":
        told = {"error": None if record.error is None else dict(record.error)}
        told |= _named(record.error or {})
    told = {name: value for name, value in told.items() if value is not None}
    return set(told), [*began, _fact(_ENDS[target], told, record, record.ended_at)]


def _named(error: Mapping[str, Any]) -> dict[str, str]:
    names = {"error_code": "code", "error_message": "message"}
    found = {name: error.get(key) for name, key in names.items()}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _times(run: Run | None, record: RunRecord, status: str) -> dict[str, Any]:
    """Return the end to be set, where no fact tells it: one that ends a run has its time."""
    ended_at = None if run is None else run.ended_at
    ends_now = status not in TERMINAL and record.status in TERMINAL
    stays = record.ended_at is None and record.status in TERMINAL
    if ends_now or stays or ended_at == record.ended_at:
        return {}
    return {"ended_at": record.ended_at}


def _usage(run: Run | None, record: RunRecord, at: datetime | None) -> NewEvent | None:
    tokens = {} if run is None else run.token_usage
    cost = None if run is None else run.cost_nano_usd
    wanted = None if record.cost_usd is None else nano_usd(record.cost_usd)
    if tokens == dict(record.token_usage) and cost == wanted:
        return None
    less = any(record.token_usage.get(kind, -1) < count for kind, count in tokens.items())
    if less or (cost is not None and (wanted is None or wanted < cost)):
        replaced = {"token_usage": dict(record.token_usage), "cost_usd": record.cost_usd}
        return _fact("run.amended", replaced, record, at)
    added = {
        kind: count - tokens.get(kind, 0)
        for kind, count in record.token_usage.items()
        if count != tokens.get(kind)
    }
    payload: dict[str, Any] = {kind: count for kind, count in added.items() if kind in TOKEN_KINDS}
    others = {kind: count for kind, count in added.items() if kind not in TOKEN_KINDS}
    model = record.provider_metadata.get("model")
    payload |= {"other_tokens": others} if others else {}
    payload |= {"model": model} if isinstance(model, str) and model else {}
    payload |= {"provider": record.provider} if record.provider else {}
    if wanted is not None and wanted != cost:
        payload["cost_usd"] = (wanted - (cost or 0)) / NANO_USD
    return _fact("usage.recorded", payload, record, at)


def _fact(
    type: str, payload: Mapping[str, Any], record: RunRecord, at: datetime | None = None
) -> NewEvent:
    return NewEvent(payload, type, run_id=record.id, occurred_at=at)
