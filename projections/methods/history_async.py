"""What changed between two moments: a reader of AsyncViews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import arun

from ..readers.history_differences import Difference, difference
from ..readers.history_places import Moment

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def diff(
    self: AsyncViews,
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
    return await arun(difference(self._reader, projection, key, before, after, deleted=deleted))
