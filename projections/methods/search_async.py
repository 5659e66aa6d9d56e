"""Full-text search: a reader of AsyncViews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.plans import arun

from ..readers.consistency import Consistency
from ..readers.listing_cursors import ViewPage
from ..readers.search import SearchHit
from ..readers.search import search as search_plan

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def search(
    self: AsyncViews,
    text: str,
    *,
    tenant: str = "",
    session_id: str | None = None,
    kinds: Sequence[str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
    consistency: Consistency = "strong",
) -> ViewPage[SearchHit]:
    """Return a page of the rows in which all words of a text occur, in any order, the newest first.

    Searched are the questions and answers of `qa` and the contents of `messages`, and whatever other
    projections of sessions declare searchable (in a ledger of one bucket, any); `kinds` names some of
    them. The text is plain text: nothing in it is syntax, and one without a word finds nothing. Case
    does not matter, accents do; words are found whole, and Chinese characters and kana by their
    pairs. The databases find the same.
    """
    return await arun(
        search_plan(
            self._reader,
            text,
            tenant,
            consistency,
            session_id=session_id,
            kinds=kinds,
            limit=limit,
            cursor=cursor,
        )
    )
