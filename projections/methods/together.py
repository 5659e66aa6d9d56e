"""Several views of a session at once: readers of Views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger import Appended
from ledger.plans import run

from ..readers.consistency import Consistency
from ..readers.rows_at_head import AtHead, Decide

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
    only: Mapping[str, Mapping[str, str]] | None = None,
    consistency: Consistency = "strong",
) -> dict[str, list[Any]]:
    """Return the views of a session in several projections, by name, all of one moment.

    As in `together("ses_1", ("sessions", "messages"))`: no event is in one of them and not in
    another. Each comes in the order in which its rows were first heard of, at most `limit` of each;
    `newest_first` turns that around. `only` names parts of keys that rows must have, by view, as in
    {"snapshots": {"name": "plan"}}. If nothing is left to be folded, this is one round trip. An
    eventual read is of one moment, too, at which the views need not have come equally far. Raises
    ViewsBehind if others keep folding one of them alone.
    """
    return run(
        self._reader.one_session.together(
            projections,
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            only=only,
        )
    )


def together_many(
    self: Views,
    session_ids: Sequence[str],
    projections: Sequence[str],
    *,
    tenant: str = "",
    limit: int | None = None,
    newest_first: bool = False,
    only: Mapping[str, Mapping[str, str]] | None = None,
    consistency: Consistency = "strong",
) -> dict[str, dict[str, list[Any]]]:
    """Return what `together` returns, of up to 1,000 sessions of a tenant and all of one moment.

    By session in the order given, each once, with `limit` rows of each view of each session. If
    nothing is left to be folded, this is one round trip for all of them.
    """
    return run(
        self._reader.many_sessions.together(
            projections,
            session_ids,
            tenant,
            consistency,
            limit=limit,
            newest_first=newest_first,
            only=only,
        )
    )


def row_at_head(self: Views, projection: str, key: tuple[str, ...]) -> AtHead:
    """Return a projection's view under its whole key, with the head of its session.

    For who decides on it what to append: both are of one moment, so that an append that expects
    this head changes what was read. The few events that are not folded into the tables yet are
    folded for this answer alone, which mostly is one round trip. A row that is asked for again is
    folded on in memory, and its table every 256 events. An event of another session that stops the
    view does not matter until so many are left; then ProjectionFailed is raised.
    """
    return run(self._reader.at_head(projection, key))


def append_decided(
    self: Views, projection: str, key: tuple[str, ...], decide: Decide
) -> list[Appended]:
    """Append to a session what is decided on a projection's view under its whole key, as it is now.

    `decide` is given the view, None if there is none, and returns the events; none is nothing to do,
    and [] is returned. Where others are faster it is asked again, with what the view is then, so it
    changes nothing by itself. What it raises is raised here. Raises SequenceConflict if others are
    faster 10,000 times.
    """
    return run(self._reader.decided(projection, key, decide, self._append))
