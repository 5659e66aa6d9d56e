"""Plans: operations of several I/O calls, written once for the sync and the async ledger.

A plan is a generator that yields what a backend's method returned and is sent the reply: with a
sync backend the reply itself, with an async one an awaitable of it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Plan = Generator[Any, Any, T]


def run(plan: Plan[T]) -> T:
    """Drive a plan over a sync backend."""
    try:
        reply = next(plan)
        while True:
            reply = plan.send(reply)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def arun(plan: Plan[T]) -> T:
    """Drive a plan over an async backend; what an await raises is raised inside the plan."""
    try:
        step = next(plan)
        while True:
            try:
                reply = await step
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(reply)
    except StopIteration as stop:
        value: T = stop.value
        return value
