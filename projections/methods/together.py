"""Several views of a session at once: readers of Views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.plans import run

from ..readers.consistency import Consistency

if TYPE_CHECKING:
    from ..views import Views


def together(
    self: Views,
    session_id: str,
    projections: Sequence[str],
    *,
    tenant: str = "",
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> dict[str, list[Any]]:
    """Return the views of a session in several projections, by name, all of one moment.

    As in `together("ses_1", ("sessions", "messages"))`: no event is in one of them and not in
    another. Each comes in the order in which its rows were first heard of, at most `limit` of each;
    `newest_first` turns that around. If nothing is left to be folded, this is one round trip. An
    eventual read is of one moment, too, at which the views need not have come equally far. Raises
    ViewsBehind if others keep folding one of them alone.
    """
    return run(
        self._reader.together(
            projections, (tenant, session_id), consistency, limit=limit, newest_first=newest_first
        )
    )
