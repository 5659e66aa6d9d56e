"""What a session was when it was read or saved, so that a save needs not read it again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .remainders import Shown
    from .rows import Rows


class Base:
    """The rows of a session as they were stored at one version of it, in one ledger.

    And what they say, in which every value is one that a session may have.

    The object that was read or saved carries it, and so do its copies, for nothing in it ever
    changes. It is no part of what a session says: sessions with it and without are equal, and where
    one is pickled it stays behind, for there the next program may have other rows.
    """

    __slots__ = ("key", "ledger_id", "rows", "shown", "version")

    def __init__(
        self, ledger_id: str, key: tuple[str, str], version: int, rows: Rows, shown: Shown
    ) -> None:
        self.ledger_id = ledger_id
        self.key = key
        self.version = version
        self.rows = rows
        self.shown = shown

    def is_of(self, ledger_id: str, key: tuple[str, str], version: int) -> bool:
        """Whether these are the rows of that session, of a tenant, at that version."""
        return (self.ledger_id, self.key, self.version) == (ledger_id, key, version)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Base)

    __hash__ = None  # type: ignore[assignment] # as of all that is compared by something else

    def __deepcopy__(self, memo: object) -> Base:
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()
