"""What a forked child finds in its copies of the parent's ledgers: a refusal.

A child inherits open sockets and files, locks that some thread of the parent holds, and none of
the threads. Two processes that talk on one PostgreSQL connection read each other's answers. The
copies are changed once, in the child, so that a call in the parent pays nothing.

SQLite is worse off: it remembers per process, not per connection, which locks it has on a file. A
child that opens the parent's file anew believes that it holds those of the parent, and takes none:
when the parent then closed the file, events that the child had been told were stored were gone.
"""

from __future__ import annotations

import inspect
import os
import weakref
from typing import Any, NoReturn, TypeVar

from .errors import ForkedProcess

T = TypeVar("T")
_held: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()
#: Device and inode of files that the parent had open.
_inherited: set[tuple[int, int]] = set()


def refuse_in_children(held: T, file: str | None = None) -> T:
    """Make every public method of an object raise ForkedProcess in processes forked from here on.

    Except `close`, which does nothing there: what is open belongs to the parent. The `file` that
    the object keeps open cannot be opened there by its path either.
    """
    _held[held] = file
    return held


def allow_in_children(held: object) -> None:
    """Take an object back that has closed its file."""
    _held.pop(held, None)


def check_not_inherited(file: str) -> None:
    """Raise ForkedProcess for a file that the parent process had open when it forked this one."""
    if _inherited and os.path.exists(file) and file_identity(file) in _inherited:
        raise ForkedProcess(f"The parent process had {file} open when it forked this one.")


def file_identity(file: str) -> tuple[int, int]:
    """Return what a file is, whatever its name: device and inode."""
    status = os.stat(file)
    return status.st_dev, status.st_ino


def _refuse_all() -> None:
    for held, file in tuple(_held.items()):
        if file is not None and os.path.exists(file):
            _inherited.add(file_identity(file))
        for name, method in inspect.getmembers(type(held), callable):
            if not name.startswith("_"):
                # Found before the method of the class.
                vars(held)[name] = _closing(method) if name == "close" else _refuse
    _held.clear()


def _closing(method: object) -> object:
    return _nothing_async if inspect.iscoroutinefunction(method) else _nothing


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise ForkedProcess("This ledger was opened by the parent process.")


def _nothing() -> None:
    pass


async def _nothing_async() -> None:
    pass


os.register_at_fork(after_in_child=_refuse_all)
