"""Plans that share their work out among themselves, run in turn or at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextvars import copy_context

from ledger.plans import Plan, arun, run

THREAD_NAME = "ledger-views"
#: A signal that comes just before a thread begins to wait is looked at when that wait ends: without
#: an end, Ctrl-C stopped nothing until all of the work was done.
INTERRUPT_S = 0.2


def in_turn(plans: Sequence[Plan[None]]) -> None:
    """Run plans one after the other: the first finds all of the work, the others none."""
    for plan in plans:
        run(plan)


async def in_turn_async(plans: Sequence[Plan[None]]) -> None:
    """Run plans over an async storage one after the other."""
    for plan in plans:
        await arun(plan)


def in_threads(plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
    """Run the first plan here and each other one in a thread of its own; wait for all of them.

    If one raises, or this thread is interrupted, `stop` tells the others to end, and once they have
    that is raised.
    """
    first, *others = plans
    running: list[tuple[threading.Thread, Future[None]]] = []
    begin = threading.Event()

    def work(plan: Plan[None], outcome: Future[None]) -> None:
        # Whose start was interrupted is in no list to be waited for: it finds that it is to stop.
        begin.wait()
        try:
            run(plan)
        except BaseException as error:
            stop()
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    try:
        for plan in others:
            outcome = Future[None]()
            # In the caller's context: folds and upcasters that look into it find the same.
            thread = threading.Thread(
                target=copy_context().run, args=(work, plan, outcome), name=THREAD_NAME
            )
            try:
                thread.start()
            except RuntimeError:
                break  # none is to be had, as at the interpreter's end: the first does all
            running.append((thread, outcome))
        begin.set()
        run(first)
        outcomes = [outcome for _, outcome in running]
        while wait(outcomes, INTERRUPT_S).not_done:
            pass
        for outcome in outcomes:
            outcome.result()
    except BaseException:
        stop()
        raise
    finally:
        begin.set()
        for thread, outcome in running:
            # Python 3.11 takes a thread for ended once a `join` of it was interrupted.
            outcome.exception()
            thread.join()


async def in_tasks(plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
    """Run each plan in a task of its own and wait for all of them.

    If one raises, `stop` tells the others to end, and once they have that is raised.
    """

    async def stopping(plan: Plan[None]) -> None:
        try:
            await arun(plan)
        except BaseException:
            stop()
            raise

    running = [asyncio.create_task(stopping(plan)) for plan in plans]
    try:
        # Whoever is cancelled here cancels them.
        await asyncio.gather(*running)
    finally:
        await asyncio.wait(running)
