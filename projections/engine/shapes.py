"""What was made for a shape, kept for whoever comes with the same one."""

from __future__ import annotations

from typing import TypeVar

#: Far more than a program asks for; what its callers make up themselves is bounded by it.
SHAPES_MAX = 1_000
K = TypeVar("K")
V = TypeVar("V")


class Shapes(dict[K, V]):
    """A dictionary that begins anew when it has SHAPES_MAX, so that looking into it costs nothing more.

    By assignment alone: that is how it is filled.
    """

    def __setitem__(self, shape: K, made: V) -> None:
        if len(self) >= SHAPES_MAX:
            self.clear()
        super().__setitem__(shape, made)
