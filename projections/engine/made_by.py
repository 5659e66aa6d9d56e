"""What made the rows of a table, as it is kept with its checkpoints. Pure.

Rows follow from a fold's code and from the upcasters that its events have passed: of the types it
folds, or of all if it declares none. To register an upcaster for one of them is a change too, for
rows were made without it; one for another type is none. Upcasters are told by their source, which
is the same on every version of Python; comments count if they stand within a nested function or
a lambda.

A table that was made before upcasters were noted has the digest of its fold alone. Nobody knows
which upcasters made it, so no other ones are reported, until its version is accepted or rebuilt.
The same goes for upcasters that cannot be told apart, such as those without source.
"""

from __future__ import annotations

import msgspec

_BETWEEN = ":"


class MadeBy(msgspec.Struct, frozen=True):
    """Digests of the fold, "" if it is unknown, and of its upcasters, None if they are unknown.

    No upcasters are "", which is something else than unknown ones.
    """

    fold: str = ""
    upcasters: str | None = None

    @property
    def text(self) -> str:
        """What is kept; of tables without upcasters the digest of the fold as it is."""
        return self.fold if self.upcasters is None else f"{self.fold}{_BETWEEN}{self.upcasters}"

    def is_other_fold(self, other: MadeBy) -> bool:
        """Whether both folds are known, and are not the same."""
        return bool(self.fold and other.fold and self.fold != other.fold)

    def has_other_upcasters(self, other: MadeBy) -> bool:
        """Whether the upcasters of both are known, and are not the same."""
        return None not in (self.upcasters, other.upcasters) and self.upcasters != other.upcasters

    def differs(self, other: MadeBy) -> bool:
        """Whether rows of the same events may be others."""
        return self.is_other_fold(other) or self.has_other_upcasters(other)


def made_by(text: str) -> MadeBy:
    """Return what is kept as a text."""
    fold, between, upcasters = text.partition(_BETWEEN)
    return MadeBy(fold, upcasters if between else None)
