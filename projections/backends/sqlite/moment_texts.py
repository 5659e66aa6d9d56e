"""Moments as SQLite keeps them: text whose order is that of time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ...engine.column_values import moment_value

_MOMENT_CHARS = len("2026-01-01T00:00:00.000000Z")


def moment_text(moment: datetime) -> str:
    """Return UTC with microseconds, always 27 characters: text order is time order."""
    return _with_fraction(msgspec.to_builtins(moment_value(moment)))


def moment_texts(moments: Sequence[datetime | None]) -> Sequence[str | None]:
    """Return the same of several moments in UTC, and None for None."""
    # As RFC 3339. isoformat() takes ten times as long, and to look for a moment among those of the
    # page three times: they are slow to hash.
    texts: Sequence[str | None] = msgspec.to_builtins(moments)
    if {*map(len, filter(None, texts))} <= {_MOMENT_CHARS}:
        return texts
    return [
        text if text is None or len(text) == _MOMENT_CHARS else _with_fraction(text)
        for text in texts
    ]


def _with_fraction(text: str) -> str:
    """Return a moment as text with the fraction that is left out where it is 0."""
    return text if len(text) == _MOMENT_CHARS else f"{text[:-1]}.000000Z"
