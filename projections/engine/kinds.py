"""Views and handlers keep their checkpoints in one place, under names that are one's or the other's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger import InvalidArgument

from .tables import Table

#: In place of the digest of a fold, which these have not; it tells their checkpoints from views'.
HANDLER = "handler"
RETIRED = "retired handler"
CLAIMS = "claims of a handler"
_OF_HANDLERS = (HANDLER, RETIRED, CLAIMS)


def check_kinds(tables: Sequence[Table], stored: Iterable[tuple[str, str]]) -> None:
    """Refuse a view that is named as a stored handler, and the reverse; `stored` has digests."""
    wanted = {table.projection.name: table.fold_digest in _OF_HANDLERS for table in tables}
    for name, digest in stored:
        of_handler = digest in _OF_HANDLERS
        if wanted.get(name, of_handler) != of_handler:
            what = {CLAIMS: "a table of a handler's claims"}.get(digest, "a handler")
            raise InvalidArgument(
                "name", f"{name!r} is {what if of_handler else 'a view'}; take another name"
            )
