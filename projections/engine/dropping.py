"""Going on when a version is dropped while somebody reads it or keeps it going."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ledger.plans import Plan

from ..errors import VersionDropped

P = ParamSpec("P")
T = TypeVar("T")
#: Each begins because one more version was dropped at the wrong moment.
ATTEMPTS_MAX = 10


def outlives_drops(plan: Callable[P, Plan[T]]) -> Callable[P, Plan[T]]:
    """Begin a plan anew if a version is dropped under it: it then chooses another one.

    It ends with VersionDropped where there is no other one to choose.
    """

    @functools.wraps(plan)
    def begun(*args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return (yield from plan(*args, **kwargs))
            except VersionDropped as gone:
                if gone.version is None:
                    raise
        return (yield from plan(*args, **kwargs))

    return begun
