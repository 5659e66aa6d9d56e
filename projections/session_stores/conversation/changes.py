"""Which facts change what a conversation says, told by what they carry. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.events import Event

from ...engine.projection import payload
from .rows import REMAINDER, is_uuid

#: What a session is found by, and its rekeying says.
IDENTITY = (
    "agent_id",
    "channel",
    "user_channel_id",
    "customer_profile_id",
    "interlocutor_id",
)
# A second creation fills only what is empty.
_CREATED = ("customer_profile_id", "interlocutor_id", "config_version", "status")

Said = Mapping[str, Any]


def is_change(event: Event) -> bool:
    """Whether a fact of one of the types in `CHANGES` changes what a conversation says.

    Other stores tell some of the same types of what is theirs: a dataset, metadata, a parent.
    """
    return _TELLS[event.type](payload(event))


def _always(said: Said) -> bool:
    return True


def _creation(said: Said) -> bool:
    return any(said.get(name) is not None for name in _CREATED)


def _rekeying(said: Said) -> bool:
    return not said.keys().isdisjoint(IDENTITY)


def _amendment(said: Said) -> bool:
    return "config_version" in said


def _variable(said: Said) -> bool:
    return said.get("scenario_id") is None or _scenario(said)


def _scenario(said: Said) -> bool:
    return is_uuid(said.get("scenario_id"))  # others are not shown


def _step(said: Said) -> bool:
    return is_uuid(said.get("step_id")) or _scenario(said)


def _kept(said: Said) -> bool:
    return said.get("name") == REMAINDER


_TELLS: dict[str, Callable[[Said], bool]] = {
    "session.created": _creation,
    "session.rekeyed": _rekeying,
    "session.amended": _amendment,
    "session.status_changed": _always,
    "session.closed": _always,
    "turn.started": _always,
    "rule.fired": _always,
    "variable.set": _variable,
    "variable.unset": _variable,
    "migration.marked": _always,
    "migration.cleared": _always,
    "scenario.started": _scenario,
    "scenario.step_entered": _step,
    "scenario.relocalized": _always,  # counted for the session, whatever the scenario
    "scenario.paused": _scenario,
    "scenario.resumed": _scenario,
    "scenario.completed": _scenario,
    "scenario.cancelled": _scenario,
    "scenario.exited": _scenario,
    "snapshot.saved": _kept,
    "snapshot.deleted": _kept,
}
#: What changes a session that was read: a save from before would overwrite it.
CHANGES = tuple(_TELLS)
