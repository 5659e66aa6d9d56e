"""What changed between two moments: a reader of Views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import run

from ..readers.history_differences import Difference, difference
from ..readers.history_places import Moment

if TYPE_CHECKING:
    from ..views import Views


def diff(
    self: Views,
    projection: str,
    key: tuple[str, ...],
    before: Moment,
    after: Moment,
    *,
    deleted: bool = False,
) -> list[Difference]:
    """Return the fields of a projection's view that changed between two moments.

    `key` is a whole key, tenant and session first, or only these two for all rows of the session.
    What was deleted since is as if it had never been, unless `deleted`.
    """
    return run(difference(self._reader, projection, key, before, after, deleted=deleted))
