"""Plans of stores, call by call: how many they take, and what others do between two of them."""

from collections.abc import Callable, Generator
from typing import Any


def interrupted(plan: Generator[Any, Any, Any], after: int, by: Callable[[], Any]) -> Any:
    """Run a plan of sync calls, with something else done after so many of them; its answer."""
    reply, calls = next(plan), 1
    while True:
        if calls == after:
            by()
        try:
            reply, calls = plan.send(reply), calls + 1
        except StopIteration as done:
            return done.value


def calls_of(plan: Generator[Any, Any, Any]) -> tuple[Any, int]:
    """Run a plan of sync calls; return its answer and how many calls it took."""
    reply, calls = next(plan), 1
    while True:
        try:
            reply, calls = plan.send(reply), calls + 1
        except StopIteration as done:
            return done.value, calls
