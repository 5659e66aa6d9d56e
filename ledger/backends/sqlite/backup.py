"""A copy of a ledger's file while others write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from ...errors import IntegrityError, InvalidArgument, StorageFailed
from ..base import Backend, OpenOptions
from . import open_sqlite
from .errors import error_of, translated
from .location import path_of
from .new_files import free_name, made
from .opening import refuse_special_file
from .source import Source

#: Some 4 MB, between which Ctrl-C is heard.
_STEP_PAGES = 1_000


def back_up(
    location: str,
    path: str | os.PathLike[str],
    options: OpenOptions,
    check: Callable[[Backend], None] | None,
) -> None:
    """Do what `ledger.backup` says."""
    original, target = path_of(location), free_name(path)
    with made(target, like=_state(original)) as unnamed:
        with Source(original, options.lock_timeout_s) as source:
            _copy(source.connection, original, unnamed, target)
        if check is not None:
            with _told_of(unnamed, original, target):
                _check(unnamed, options, check)
        with translated(target):
            _let_it_stand_alone(unnamed)


def _state(original: str) -> os.stat_result:
    """Return what the system knows of the file; refuse what is none, as opening it would."""
    try:
        state = os.stat(original)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidArgument("url", f"there is no file {original!r}") from error
    except OSError as error:
        raise StorageFailed(f"{original} cannot be read: {error.strerror}.") from error
    refuse_special_file(original, state)
    return state


def _copy(source: apsw.Connection, original: str, unnamed: str, target: str) -> None:
    with translated(target):
        copy = apsw.Connection(unnamed, apsw.SQLITE_OPEN_READWRITE)
    try:
        # Half a copy is thrown away, and a whole one is flushed at the end.
        copy.pragma("journal_mode", "off")
        copy.pragma("synchronous", "off")
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(_STEP_PAGES)
    except apsw.FullError as error:
        raise error_of(error, target) from error
    except apsw.Error as error:
        raise error_of(error, f"{original}, while it was copied to {target},") from error
    finally:
        copy.close(True)


def _check(unnamed: str, options: OpenOptions, check: Callable[[Backend], None]) -> None:
    copy = open_sqlite(unnamed, options)
    try:
        check(copy)
    finally:
        copy.close()


@contextmanager
def _told_of(unnamed: str, original: str, target: str) -> Iterator[None]:
    """Say what is wrong with a copy by the names of files that are there afterwards."""
    try:
        yield
    except (IntegrityError, StorageFailed) as error:
        # What a copy holds, the original holds, too; anything else is so where the copy was made.
        held = isinstance(error, IntegrityError) or isinstance(error.__cause__, apsw.CorruptError)
        problem = error.problem.replace(unnamed, original if held else target)
        raise type(error)(f"The copy of {original} was not kept: {problem}") from error


def _let_it_stand_alone(unnamed: str) -> None:
    """Leave the mode with a -wal file, which a ledger takes up again when it is opened.

    Without it a copy can be read where nothing can be written.
    """
    copy = apsw.Connection(unnamed, apsw.SQLITE_OPEN_READWRITE)
    try:
        copy.pragma("journal_mode", "delete")
    finally:
        copy.close(True)
