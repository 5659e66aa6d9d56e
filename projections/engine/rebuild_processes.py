"""Rebuilding in several processes, each of which is given one bucket at a time.

Processes are spawned, never forked: a fork would share connections and locks with this process.
Each has a pipe of its own and shares nothing else, so that one that is killed harms nobody: its
bucket is given to another, which goes on where the checkpoint stands. A worker whose pipe was
closed at the other end, because this process is gone, ends behind its page.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess, set_spawning_popen
from multiprocessing.reduction import ForkingPickler
from typing import Any

import msgspec

from ledger import InvalidArgument, Ledger, LedgerError
from ledger.refusals import said

from ..errors import ProjectionFailed, RebuildInterrupted
from .projection import Projection
from .rebuild_worker import Job, Report, Worker

#: How long workers are waited for, and how soon a cancel is noticed between their messages.
LOOK_S = 0.2
STOP_TIMEOUT_S = 30.0

OpenLedger = Callable[[], Ledger]


class Task(msgspec.Struct, frozen=True):
    """What each worker is started with."""

    open_ledger: OpenLedger
    ledger_id: str
    projection: Projection
    events_per_second: float | None


def check_sendable(open_ledger: OpenLedger, projection: Projection) -> None:
    """Refuse, before anything is made, what no worker could be started with."""
    for name, value in (("open_ledger", open_ledger), ("projection", projection)):
        try:
            # Locks and the like are handed to a process that is being started, and to nobody else.
            set_spawning_popen(_Trial())  # type: ignore[arg-type]  # has what pickling asks it for
            ForkingPickler.dumps(value)
        except Exception as error:  # each kind of object has its own for what cannot be pickled
            reason = "other processes find functions by name, at the top of a module alone"
            raise InvalidArgument(name, f"{reason} ({said(error)})") from error
        finally:
            set_spawning_popen(None)


class _Trial:
    """What multiprocessing takes for the start of a process: nothing is handed to any."""

    DupFd = int  # told by its number

    def duplicate_for_child(self, descriptor: int) -> int:
        return descriptor


def work(task: Task, pipe: Connection) -> None:
    """Fold the buckets that come through the pipe until it is closed. Runs in the worker."""
    # Ctrl-C in a terminal reaches all processes; the one that started the others decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        with task.open_ledger() as ledger:
            if ledger.ledger_id != task.ledger_id:
                raise InvalidArgument("open_ledger", "it opens another ledger")
            worker = Worker(
                ledger, task.projection, task.events_per_second, lambda wait_s: _pause(pipe, wait_s)
            )
            pipe.send(("ready", None))
            while True:
                bucket, head = pipe.recv()
                pipe.send(("done", worker.fold(bucket, head, lambda n: _report(pipe, n))))
    except (EOFError, BrokenPipeError):
        return  # nobody is interested any more
    except LedgerError as error:
        pipe.send(("error", error))


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Hand down to a new process that Ctrl-C waits: a half-started one would print a traceback."""
    # Starting the tracker lets interrupts in again, so it has to be there before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _report(pipe: Connection, events: int) -> bool:
    pipe.send(("folded", events))
    # Between two pages nothing comes through the pipe but its end.
    return not pipe.poll()


def _pause(pipe: Connection, wait_s: float) -> None:
    pipe.poll(wait_s)


class _Member:
    def __init__(self, process: SpawnProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.job: Job | None = None


class Processes:
    """A team of workers, and the buckets that they have still to fold."""

    def __init__(self, task: Task, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._members: list[_Member] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(task, theirs), daemon=True)
            with _deaf_to_interrupts():
                process.start()
            # The worker has its own copy; with this one open its death would go unnoticed.
            theirs.close()
            self._members.append(_Member(process, ours))

    @property
    def process_ids(self) -> list[int]:
        """The ids of the workers that live."""
        return [one.process.pid for one in self._members if one.process.pid is not None]

    def fold(self, jobs: Sequence[Job], report: Report) -> Iterator[ProjectionFailed]:
        """Fold buckets up to their heads, and yield what failed; ends early if told to."""
        waiting = deque(jobs)
        for member in self._members:
            self._give(member, waiting)
        while waiting or any(member.job for member in self._members):
            if not self._members:
                raise RebuildInterrupted("All worker processes ended before their work was done.")
            pipes: dict[Any, _Member] = {member.pipe: member for member in self._members}
            for pipe in wait(list(pipes), LOOK_S):
                member = pipes[pipe]
                try:
                    kind, what = member.pipe.recv()
                except (EOFError, ConnectionResetError):
                    self._bury(member, waiting)
                    continue
                if kind == "error":
                    raise what
                if kind == "done":
                    member.job = None
                    if isinstance(what, ProjectionFailed):
                        yield what
                    self._give(member, waiting)
                if kind == "folded" and not report(what):
                    return
            if not report(0):
                return

    def _give(self, member: _Member, waiting: deque[Job]) -> None:
        if member.job is None and waiting:
            member.job = waiting.popleft()
            try:
                member.pipe.send(member.job)
            except (BrokenPipeError, ConnectionResetError):
                self._bury(member, waiting)

    def _bury(self, member: _Member, waiting: deque[Job]) -> None:
        """Forget a worker that died, and let the others do its work."""
        self._members.remove(member)
        member.pipe.close()
        member.process.join(STOP_TIMEOUT_S)
        if member.job is not None:
            waiting.appendleft(member.job)
        for other in self._members:
            self._give(other, waiting)

    def stop(self) -> None:
        """Let the workers finish their pages and end; kill those that do not."""
        for member in self._members:
            member.pipe.close()
        for member in self._members:
            member.process.join(STOP_TIMEOUT_S)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
        self._members = []


@contextmanager
def started(task: Task, count: int) -> Iterator[Processes]:
    """Run a team of workers for a block."""
    team = Processes(task, count)
    try:
        yield team
    finally:
        team.stop()
