"""How a refused value is named in the message that refuses it, and what others raised."""

from __future__ import annotations

from datetime import datetime
from types import NoneType

from .errors import LedgerError
from .moments import is_aware

_SHOWN_CHARACTERS_MAX = 80
_SHOWN_BITS_MAX = 128


def shown(value: object) -> str:
    """Return a short spelling of any value.

    Only values of Python's own simple types are spelled out: the repr of a stranger's object may
    raise, be endless or hold secrets, and Python refuses to spell integers of 4,300 digits.
    """
    if type(value) in (NoneType, bool, float):
        return repr(value)
    if type(value) is int:
        bits = value.bit_length()
        return repr(value) if bits <= _SHOWN_BITS_MAX else f"an integer of {bits} bits"
    if type(value) is str:
        cut = value[:_SHOWN_CHARACTERS_MAX]
        return repr(cut) if cut == value else f"{cut!r}…"
    return _kind(value)


def shown_time(value: object) -> str:
    """Return a short spelling of what is no datetime with a time zone."""
    if isinstance(value, datetime) and not is_aware(value):
        return "a naive datetime; give it a tzinfo"
    return shown(value)


def said(error: Exception) -> str:
    """Return an error's type and text; whoever made it may have made a text that raises, too."""
    kind = type(error).__name__
    if isinstance(error, LedgerError):
        # Without the advice: whoever says it adds his own.
        return f"{kind}: {error.problem.removesuffix('.')}"
    try:
        return f"{kind}: {error}"
    except Exception as mistake:
        return f"{kind}: its text cannot be told ({type(mistake).__name__})"


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
