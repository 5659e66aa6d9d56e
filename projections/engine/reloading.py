"""What a fold returned, as it would be if its row had been stored and read again. Pure.

A fold gets its row from the table where a page begins and from memory within one. Were the two
not the same, what it makes would depend on where pages end, and a rebuild would differ from what
was folded event by event: a list of floats may hold 1 and come back with 1.0, a tuple in a field
of any type comes back as a list, a mapping with its keys in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import attrgetter, is_not
from typing import Any

import msgspec

#: What is made here of JSON is JSON, and by the types of its fields; rereading it would take a
#: tenth of the time of all folding, and the tests do it instead.
_EXACT_FOLDS = f"{__name__.partition('.')[0]}.folds."
#: A field's name, and what its value becomes by being stored and read again.
Reread = tuple[str, Callable[[Any], Any]]


class Reloading:
    """The fields of a struct whose values may come back as others that are as good."""

    def __init__(self, fields: Sequence[Reread]) -> None:
        self._fields = tuple(fields)
        self._values = _values_of([name for name, _ in fields])

    def reloaded(self, view: Any, before: Any) -> Any:
        """Return the view that a reload gives; `before` is a reloaded one, or None.

        What both share is not looked at: a fold returns new values and changes none.
        """
        values = self._values(view)
        known = repeat(None) if before is None else self._values(before)
        changes = {}
        for (name, reread), value in compress(
            zip(self._fields, values, strict=True), map(is_not, values, known)
        ):
            if value is not None:
                again = reread(value)
                if again is not value:
                    changes[name] = again
        return msgspec.structs.replace(view, **changes) if changes else view


def is_exact(apply: object) -> bool:
    """Whether a fold is known to make only what is read again as it was."""
    return str(getattr(apply, "__module__", "")).startswith(_EXACT_FOLDS)


def _values_of(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    if len(names) > 1:
        return attrgetter(*names)
    # attrgetter of one name returns the value alone
    return lambda view: [getattr(view, name) for name in names]
