"""Cognee's values by key, and its logs of what users called. Plans.

Each key and each user has a session of its own, in tenants of their own that no list of sessions
shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger import InvalidArgument
from ledger.arguments import natural
from ledger.events import Event
from ledger.limits import SESSION_ID_BYTES_MAX
from ledger.plans import Plan

from ...folds.snapshots import Snapshot
from ...readers.arguments import text
from ..side_tenants import side_tenant
from .core import QACore
from .ids import Key, place_of
from .reading import ttl_of

VALUES = "\x1fcognee-values"
USAGE = "\x1fcognee-usage"
#: Cognee keeps a log for a week.
USAGE_TTL_S = 604_800.0
_VALUE = "value"
_LOGGED = "usage"


def tenants(core: QACore) -> tuple[str, str]:
    """Return the tenants of values and of logs."""
    return side_tenant(core.tenant, VALUES), side_tenant(core.tenant, USAGE)


def set_value(core: QACore, key: str, value: Any, ttl_s: float | None) -> Plan[int]:
    """Keep a value under a key, for so many seconds or for ever."""
    until = _until(core, ttl_s)
    state = {"value": value, "until": until}
    fact = core.fact("snapshot.saved", {"name": _VALUE, "state": state})
    appended = yield from core.append(_key(key), [fact], tenant=tenants(core)[0])
    return appended[0].sequence


def value(core: QACore, key: str) -> Plan[Any]:
    """Return the value under a key, or None."""
    kept = yield from _kept(core, key)
    return None if kept is None else kept.state["value"]


def _kept(core: QACore, key: str) -> Plan[Snapshot | None]:
    kept: Snapshot | None = yield core.views.snapshot(_key(key), _VALUE, tenant=tenants(core)[0])
    return None if kept is None or _is_over(kept.state["until"], core.now()) else kept


def delete_value(core: QACore, key: str) -> Plan[bool]:
    """Take the value under a key away; False if there is none."""
    found = yield from _kept(core, key)
    deleted: bool = yield core.ledger.delete(_key(key), tenant=tenants(core)[0])
    return deleted and found is not None


def log_usage(
    core: QACore, user_id: Key | None, entry: Mapping[str, Any], ttl_s: float | None
) -> Plan[int]:
    """Note what a user called; all of a user's log expires so long after its last entry."""
    until = _until(core, ttl_s)
    if not isinstance(entry, Mapping):
        raise InvalidArgument(
            "log_entry", f"expected names with values, got {type(entry).__name__}"
        )
    said = {"name": _LOGGED, "data": {"entry": dict(entry), "until": until}}
    appended = yield from core.append(
        _user(user_id), [core.fact("audit.recorded", said)], tenant=tenants(core)[1]
    )
    return appended[0].sequence


def usage_logs(core: QACore, user_id: Key | None, limit: int) -> Plan[list[dict[str, Any]]]:
    """Return what a user called, the last first."""
    count = natural(limit, "limit")
    events: list[Event] = yield core.ledger.read(
        _user(user_id),
        tenant=tenants(core)[1],
        types=["audit.recorded"],
        newest_first=True,
        limit=count,
    )
    found: list[dict[str, Any]] = []
    moment = core.now()
    for event in events[:count]:
        said = event.data["data"]
        # What was over when the next entry came does not come back with it.
        if _is_over(said["until"], moment):
            break
        found.append(said["entry"])
        moment = event.occurred_at
    return found


def _until(core: QACore, ttl_s: float | None) -> str | None:
    expiry = ttl_of(ttl_s, "ttl")
    try:
        return None if expiry is None else (core.now() + expiry).isoformat()
    except OverflowError:  # behind the last moment that there is
        return None


def _is_over(until: str | None, moment: datetime) -> bool:
    return until is not None and datetime.fromisoformat(until) <= moment


def _key(key: str) -> str:
    if not isinstance(key, str):
        raise InvalidArgument("key", f"expected text, got {type(key).__name__}")
    return text(key, "key", SESSION_ID_BYTES_MAX)  # no id: a UUID's two texts are two keys


def _user(user_id: Key | None) -> str:
    return place_of("usage", user_id).ledger_id
