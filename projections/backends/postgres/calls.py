"""Statements on their way to the server, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A statement, its parameters, and whether it is prepared: None is when used often.

    False is for joins and lists: what a prepared one decided on a small table, it would do on a
    big one.
    """

    statement: bytes
    parameters: Sequence[Any] | dict[str, Any] = ()
    prepare: bool | None = None


#: Per statement, the rows it returned and how many it touched.
Results = list[tuple[list[Any], int]]
Send = Callable[[Iterable[Call]], Any]

BEGIN = Call(b"BEGIN ISOLATION LEVEL READ COMMITTED")
BEGIN_READING = Call(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
COMMIT = Call(b"COMMIT")
ROLLBACK = Call(b"ROLLBACK")
