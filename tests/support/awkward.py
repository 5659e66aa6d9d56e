"""Values that cannot be looked at, have no end, or say what is not so."""

from datetime import datetime, tzinfo
from typing import Any


class Awkward:
    """What arrays and half-built objects do when somebody looks at them."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("do not touch")

    __eq__ = __ne__ = __bool__ = __len__ = __repr__ = __str__ = __getattr__ = _refuse
    __hash__ = object.__hash__


class Lying(tzinfo):
    """A time zone whose offset is none."""

    def utcoffset(self, moment: datetime | None) -> Any:
        """Return what Python does not accept."""
        return "two hours"


def endless() -> dict[str, Any]:
    """Return an object that is in itself twice: whoever goes both ways to a bound never gets there."""
    value: dict[str, Any] = {}
    value |= {"again": value, "listed": [value]}
    return value


def nested(levels: int) -> dict[str, Any]:
    """Return objects in objects."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value
