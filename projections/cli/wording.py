"""Numbers and times as all commands say them."""

from __future__ import annotations

from datetime import datetime


def counted(number: int, one: str, several: str | None = None) -> str:
    """Return a number and what it counts, in the singular or the plural."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def utc(moment: datetime) -> str:
    """Return a time that the store keeps, which is in UTC; headers of columns say so."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
