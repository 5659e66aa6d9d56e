"""Times: whole microseconds since 1970 in the log, aware datetimes in UTC for callers.

Pure, but for a cache of what was made last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from .errors import IntegrityError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Up to 2**33 seconds, in 2242, a float is within half a microsecond of what is meant.
_EXACT_UNTIL_US = 2**33 * 1_000_000
#: A few pages of events; a page more for each thread that remembers at the same moment.
_REMEMBERED_MAX = 8_192
#: Of fewer events, to make all their times takes as long as to make each that is asked for.
_AT_ONCE_MIN = 16


class _Moments(dict[int, datetime]):
    """Datetimes by microseconds: some of them remembered, all others made when asked for."""

    def __missing__(self, microseconds: int) -> datetime:
        try:
            # By place: the name alone takes as long as the rest.
            return EPOCH + timedelta(0, 0, microseconds)
        except OverflowError as error:
            problem = f"A stored time, {microseconds} µs from 1970, is in no year from 1 to 9999."
            raise IntegrityError(problem) from error


_moments = _Moments()
#: Returns the UTC datetime of whole microseconds since 1970; exact. Raises IntegrityError for what no
#: datetime can be, and so was never appended. The look-up itself: a function around it takes as long
#: again, and every event of a page is asked for its time twice.
from_microseconds: Callable[[int], datetime] = _moments.__getitem__


def remember(all_us: Sequence[int]) -> None:
    """Make the datetimes of a page's events at once, in a fifth of the time, and keep them for all.

    What is not kept is made when it is asked for, so it changes no answer that some are forgotten,
    or that a page of few or of very many events, or with a time that no float tells, is left out.
    """
    if not _AT_ONCE_MIN <= len(all_us) <= _REMEMBERED_MAX:
        return
    if min(all_us) < -_EXACT_UNTIL_US or max(all_us) > _EXACT_UNTIL_US:
        return
    seconds = [microseconds / 1_000_000 for microseconds in all_us]
    made = msgspec.convert(seconds, list[datetime], strict=False)
    if len(_moments) + len(made) > _REMEMBERED_MAX:
        _moments.clear()
    _moments.update(zip(all_us, made, strict=True))


def to_microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970 of an aware datetime."""
    return (moment - EPOCH) // _MICROSECOND


def is_aware(moment: datetime) -> bool:
    """Whether a datetime has an offset; one whose time zone cannot tell it has none."""
    try:
        return moment.utcoffset() is not None
    except (NotImplementedError, TypeError, ValueError):
        # What Python raises for a tzinfo that is abstract, or answers what is no offset.
        return False
