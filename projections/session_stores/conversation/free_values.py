"""What a session holds that no model looks into, checked as it was given. Pure.

pydantic makes JSON of it all the same, and says nothing: two keys become one, bytes a text, a set a
list in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from types import NoneType
from typing import Any
from uuid import UUID

from ledger import InvalidArgument
from ledger.limits import NESTING_DEPTH_MAX
from ledger.refusals import shown

from .errors import within
from .fields import SCENARIOS
from .models import ScenarioInstance, Session

_VARIABLES = "variables"
# Of these the keys are any text, and the values are of a model.
_NAMED = ("rule_fires", "rule_last_fire_turn", "variable_updated_at")
_JSON = (str, int, float, NoneType)
#: What comes back as text: ids and times.
_TEXTS = (UUID, date, time, timedelta)


def check_said(session: Session, plain: Mapping[str, Any]) -> None:
    """Raise InvalidArgument for what a session as JSON says otherwise than it was given."""
    given = session.__dict__
    _check_differing(given[_VARIABLES], plain[_VARIABLES], f"session.{_VARIABLES}")
    for name in _NAMED:
        if given[name].keys() != plain[name].keys():
            _check_keys(given[name], f"session.{name}")
    for number, (one, said) in enumerate(zip(given[SCENARIOS], plain[SCENARIOS], strict=True)):
        place = f"session.{SCENARIOS}[{number}].{_VARIABLES}"
        _check_differing(one.variables, said[_VARIABLES], place)


def _check_differing(given: Mapping[Any, Any], said: Mapping[str, Any], place: str) -> None:
    # Nearly always they are equal; what becomes a text, such as a time, differs at each save.
    if given != said:
        _check_keys(given, place)
        for key, item in given.items():
            if key not in said or item != said[key]:
                _check(item, within(place, key), 2)


def check_given(session: Session) -> None:
    """Raise InvalidArgument, by its place, for what has no JSON form of its own."""
    given = session.__dict__
    _check(given.get(_VARIABLES), f"session.{_VARIABLES}")
    for name in _NAMED:
        if isinstance(keys := given.get(name), dict):
            _check_keys(keys, f"session.{name}")
    scenarios = given.get(SCENARIOS)
    for number, one in enumerate(scenarios if isinstance(scenarios, list) else ()):
        if isinstance(one, ScenarioInstance):
            place = f"session.{SCENARIOS}[{number}].{_VARIABLES}"
            _check(one.__dict__.get(_VARIABLES), place)


def _check(value: Any, place: str, depth: int = 1) -> None:
    if isinstance(value, (dict, list, tuple)) and depth > NESTING_DEPTH_MAX:
        raise InvalidArgument(place, f"nested deeper than {NESTING_DEPTH_MAX} levels")
    if isinstance(value, dict):
        _check_keys(value, place)
        for key, item in value.items():
            _check(item, within(place, key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _check(item, f"{place}[{number}]", depth + 1)
    elif not isinstance(value, (*_JSON, *_TEXTS)):
        raise InvalidArgument(place, f"{type(value).__name__} has no JSON form")


def _check_keys(keys: Iterable[Any], place: str) -> None:
    for key in keys:
        if not isinstance(key, str):
            raise InvalidArgument(place, f"key {shown(key)} is not text")
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(place, f"lone surrogate in key {shown(key)}") from error
