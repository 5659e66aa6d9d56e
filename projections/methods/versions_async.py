"""The versions of the views: methods of AsyncViews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import arun

from ..engine.comparing import VersionComparison
from ..engine.versions import ViewVersion

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def versions(self: AsyncViews) -> list[ViewVersion]:
    """Return the versions of these views' projections, the stored and the known ones."""
    return list(await arun(self._reader.versions.records()))


async def compare(
    self: AsyncViews, name: str, *, old: int | None = None, new: int | None = None, limit: int = 20
) -> VersionComparison:
    """Compare the rows of two versions of a projection, by default the active and the highest other.

    In pages of bounded memory, while writers append and readers read. `limit` bounds the differing
    rows that are returned, not those that are counted. Raises VersionsApart if others move only
    one of the versions all the time.
    """
    return await arun(self._reader.versions.compare(name, old, new, limit))


async def accept(self: AsyncViews, name: str, version: int) -> None:
    """Take a version's fold and upcasters as they are now for those that made its rows.

    That ends FoldChanged. For a change that does not matter to events already folded, such as the
    correction of a fold that had stopped at an event.
    """
    await arun(self._reader.versions.accept(name, version))


async def switch(self: AsyncViews, name: str, version: int) -> None:
    """Make all readers that know a version read it from their next call on.

    One transaction, behind the catching up that the first reader would have to do. The version
    before is kept going, so that switching back is as quick, until it is dropped. Refuses a
    version that no rebuild has built.
    """
    await arun(self._reader.versions.switch(name, version))


async def drop(self: AsyncViews, name: str, version: int) -> None:
    """Remove a version of a projection, table and all; refuses the active one.

    Whoever knows that version and no other cannot read any more, and views that are opened with
    it make it anew, empty.
    """
    await arun(self._reader.versions.drop(name, version))
