"""Upcasters: old payloads are lifted to the newest schema version when they leave the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .codec import check_text
from .errors import InvalidArgument, InvalidEvent
from .limits import SCHEMA_VERSION_MAX, TYPE_BYTES_MAX
from .refusals import shown

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class Upcasts:
    """The upcasters of a ledger, by event type and the version they start from.

    Each lifts a payload by one version; chains are followed to their end. The stored bytes and
    their digests never change.
    """

    def __init__(self) -> None:
        self._steps: dict[str, dict[int, Upcaster]] = {}
        #: Whether payloads of a type may need lifting; bound, because each event read asks.
        self.has: Callable[[str], bool] = self._steps.__contains__

    def register(self, type: str, *, from_version: int, upcaster: Upcaster) -> None:
        """Add the step from `from_version` to the next; a second one for the same step is refused.

        Raises InvalidArgument.
        """
        _check_step(type, from_version, upcaster)
        steps = self._steps.setdefault(type, {})
        if from_version in steps:
            raise InvalidArgument("from_version", f"{type} has an upcaster from {from_version}")
        steps[from_version] = upcaster

    def steps(self) -> list[tuple[str, int, Upcaster]]:
        """Return each event type, version and the upcaster from there, in order."""
        return [
            (type, version, self._steps[type][version])
            for type in sorted(self._steps)
            for version in sorted(self._steps[type])
        ]

    def newest(self, type: str, version: int, data: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the payload and its version after every step that applies."""
        steps = self._steps.get(type, {})
        while version in steps:
            data = steps[version](data)
            if not isinstance(data, dict):
                raise TypeError(f"expected a dict of the next version, got {shown(data)}")
            version += 1
        return data, version


def _check_step(type_name: object, from_version: object, upcaster: object) -> None:
    try:
        check_text(type_name, "type", TYPE_BYTES_MAX)
    except InvalidEvent as error:
        raise InvalidArgument("type", error.reason) from error
    if type(from_version) is not int or not 1 <= from_version < SCHEMA_VERSION_MAX:
        raise InvalidArgument(
            "from_version", f"expected 1 to {SCHEMA_VERSION_MAX - 1}, got {shown(from_version)}"
        )
    if not callable(upcaster):
        raise InvalidArgument("upcaster", f"expected a function, got {shown(upcaster)}")
