"""Adding to collections that must not grow with the session: what is there stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def with_items(
    before: Mapping[str, Value], added: Mapping[str, Value], count_max: int
) -> tuple[dict[str, Value], bool]:
    """Return the items with some added or replaced, and whether any was beyond the bound."""
    merged = dict(before)
    left_out = False
    for name, value in added.items():
        if name in merged or len(merged) < count_max:
            merged[name] = value
        else:
            left_out = True
    return merged, left_out


def with_changes(
    before: Mapping[str, Value], changed: Mapping[str, Value | None], count_max: int
) -> tuple[dict[str, Value], bool]:
    """Return the same with some items added, replaced or, where a value is None, taken away."""
    given = {name: value for name, value in changed.items() if value is not None}
    if len(given) < len(changed):
        before = {name: before[name] for name in before if changed.get(name, "") is not None}
    return with_items(before, given, count_max)


def with_names(before: list[str], added: Iterable[str], count_max: int) -> tuple[list[str], bool]:
    """Return the names with some added, each once, and whether any was beyond the bound."""
    known = set(before)
    merged = list(before)
    left_out = False
    for name in added:
        if name in known:
            continue
        if len(merged) < count_max:
            merged.append(name)
            known.add(name)
        else:
            left_out = True
    return merged, left_out
