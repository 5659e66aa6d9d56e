"""What of a saved session no fact of the catalogue says, kept so that it comes back all the same. Pure.

Counters that went down, a turn without a rule, a history that was cut or rewritten: soldier's model
allows what its facts exclude. Most sessions have no remainder. Each of its leaves says what the
views said when it was kept; it holds as long as they still say that, and counters go on from it, so
that it never hides what others add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec

from .fields import (
    COUNTERS,
    HISTORY,
    SAID,
    SCENARIOS,
    Leaves,
    Path,
    differing,
    leaves,
    leaves_of_rows,
    said_after,
    said_by_rows,
    same,
    session_of,
    visit_of,
)
from .models import STEP_HISTORY_MAX
from .rows import Rows

Visit = dict[str, Any]
_ABSENT = object()


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf that differs: what was derived and what was said; [] is no such leaf, else one value."""

    path: list[str]
    derived: list[Any]
    said: list[Any]


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which visits a session's history has: `said` ones, then those of the view.

    Of the view's those from sequence `first` on, without `hidden` ones, the `last` so many of them.
    """

    said: list[Visit] = []
    first: int = 0
    last: int | None = None
    hidden: list[int] = []

    def of(self, visits: Sequence[tuple[int, Visit]]) -> list[Visit]:
        """Return the history that a view's visits, with their sequences, are shown as."""
        hidden = set(self.hidden)
        shown = [
            one for sequence, one in visits if sequence >= self.first and sequence not in hidden
        ]
        if self.last is not None:
            shown = shown[max(0, len(shown) - self.last) :]
        return [*self.said, *shown][-STEP_HISTORY_MAX:]


class Remainder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept; `listed` says that the primary scenario is among the active ones, too."""

    format: Literal[1] = 1
    listed: bool = False
    leaves: list[Leaf] = []
    history: History = History()


#: What is kept of most sessions.
NOTHING = Remainder()


class Shown(msgspec.Struct, frozen=True, dict=True):
    """A session as its rows and its remainder say, as JSON has it.

    What stands apart may be among it, and is not looked at.
    """

    json: Mapping[str, Any]

    @cached_property
    def leaves(self) -> Leaves:
        """What can change alone; a path that is missing says nothing."""
        return leaves(self.json)

    @property
    def history(self) -> list[Visit]:
        """The steps that were entered."""
        visits: list[Visit] = self.json.get(HISTORY, [])
        return visits

    def differing(self, other: Shown) -> frozenset[str]:
        """Return the fields in which another session says something else."""
        return frozenset(differing(SAID, self.json, other.json))


def shown(rows: Rows, remainder: Remainder) -> Shown:
    """Return a session as rows and a remainder say it is."""
    if remainder == NOTHING:
        return Shown(said_by_rows(rows))
    found = leaves_of_rows(rows, listed=remainder.listed)
    for leaf in remainder.leaves:
        path = tuple(leaf.path)
        now = found.get(path, _ABSENT)
        if _is(now, leaf.derived):
            if leaf.said:
                found[path] = leaf.said[0]
            else:
                del found[path]
        elif _counts(path) and now is not _ABSENT:
            found[path] = max(0, now + _number(leaf.said) - _number(leaf.derived))
    return Shown(session_of(found) | {HISTORY: remainder.history.of(numbered(rows))})


def shown_after(said: Shown, before: Rows, rows: Rows, remainder: Remainder) -> Shown:
    """Return the same, of which the rows from before, and this remainder, `said` something else."""
    if remainder != NOTHING:
        return shown(rows, remainder)
    return Shown(said_after(said.json, before, rows))


def numbered(rows: Rows) -> list[tuple[int, Visit]]:
    """Return the visits with their sequences."""
    return [(one.first_sequence, visit_of(one)) for one in rows.visits]


def _is(now: Any, derived: list[Any]) -> bool:
    return (now is _ABSENT) == (not derived) and (not derived or same(now, derived[0]))


def _counts(path: Path) -> bool:
    return not COUNTERS.isdisjoint((path[0], *path[2:3]))


def _number(value: list[Any]) -> int:
    return value[0] if value else 0


def remainder(
    rows: Rows,
    wanted: Shown,
    before: Remainder,
    *,
    steps_before: int,
    hidden: Sequence[int],
) -> Remainder:
    """Return what is to be kept so that these rows are shown as the wanted session.

    `hidden` are visits that were only told so that the views know the position; `steps_before` is
    how many visits the session had.
    """
    listed = is_listed(wanted.leaves)
    derived = leaves_of_rows(rows, listed=listed)
    said = wanted.leaves
    kept_apart = [
        Leaf(list(path), _at(derived, path), _at(said, path))
        for path in sorted(_differing(derived, said))
    ]
    kept = _history(numbered(rows), wanted.history, before.history, steps_before, hidden)
    return Remainder(listed=listed, leaves=kept_apart, history=kept)


def _differing(one: Leaves, other: Leaves) -> set[Path]:
    found = {
        path for path, value in one.items() if path not in other or not same(value, other[path])
    }
    return found | (other.keys() - one.keys())


def is_listed(wanted: Leaves) -> bool:
    """Whether the primary scenario is among the active ones, too."""
    return wanted["active_scenario_id",] in wanted[SCENARIOS,]


def _at(found: Leaves, path: Path) -> list[Any]:
    return [found[path]] if path in found else []


def _history(
    visits: list[tuple[int, Visit]],
    wanted: list[Visit],
    before: History,
    count_before: int,
    hidden: Sequence[int],
) -> History:
    """Return the first of some ways that shows the wanted visits."""
    oldest = visits[0][0] if visits else 0
    left_out = [*before.hidden, *hidden]
    unseen = [one for one in left_out if one >= max(before.first, oldest)]
    ways = [History(before.said, before.first, before.last, unseen)]
    if len(wanted) == count_before:
        # Whoever keeps so many steps would else have another `first` in every save.
        ways.append(History([], before.first, count_before, unseen))
    for way in ways:
        if same(way.of(visits), wanted):
            return _without_hidden_before(way, visits)
    place, end = len(visits), len(wanted)
    skipped = []
    while place:
        sequence, one = visits[place - 1]
        if sequence in left_out:
            skipped.append(sequence)
        elif end and same(one, wanted[end - 1]):
            end -= 1
        else:
            break
        place -= 1
    first = visits[place - 1][0] + 1 if place else 0
    return _without_hidden_before(History(wanted[:end], first, None, sorted(skipped)), visits)


def _without_hidden_before(way: History, visits: list[tuple[int, Visit]]) -> History:
    """Return the same, which begins at the first visit that is shown, behind all if none is.

    Who moves without a history would else keep the number of every move.
    """
    if not way.hidden:
        return way
    hidden = set(way.hidden)
    seen = (one for one, _ in visits if one >= way.first and one not in hidden)
    first = next(seen, max(hidden) + 1)
    kept = [one for one in way.hidden if one > first]
    if len(kept) == len(way.hidden):
        return way  # so that nothing is said anew
    return History(way.said, first, way.last, kept)
