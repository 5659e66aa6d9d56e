"""Files that commands write: whole or not at all, and never another thing in their place."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ledger import InvalidArgument

# `ledger export old.db`, meant as "export that one", wrote another ledger's lines over it.
_DATABASE = b"SQLite format 3\0"
_NEW_MODE = 0o666


@contextmanager
def written(file: str) -> Iterator[BinaryIO]:
    """Yield what is written to a file: under its name is all of it in the end, or what was before.

    Links are followed; mode and owner stay, as far as this process may give them. What is there and
    is no regular file - a FIFO, a device, a descriptor of a process - is written into as it stands.
    A database is never replaced (InvalidArgument). What fails in writing carries the file's name.
    """
    try:
        with _opened(file) as out:
            yield out
    except OSError as error:
        if error.filename is None and not isinstance(error, BrokenPipeError):
            error.filename = file
        raise


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if not file:  # a variable of a script that was never set; realpath takes it for the directory
        raise InvalidArgument("FILE", "it names no file")
    there = _status(file)
    target = os.path.realpath(file)
    # The descriptor of a file that was removed has no name that could be given to another.
    if there is not None and not (stat.S_ISREG(there.st_mode) and _is_same(target, there)):
        with open(os.open(file, os.O_WRONLY | os.O_TRUNC), "wb") as out:
            yield out
        return
    if there is None and file.endswith(os.sep):  # which realpath would drop
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file)
    _refuse_databases(target, there)
    unfinished = f"{target}.{secrets.token_hex(4)}.part"
    try:
        with open(_make(unfinished, there), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(unfinished, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)


def _refuse_databases(target: str, there: os.stat_result | None) -> None:
    if there is None or not there.st_size:
        return
    with suppress(PermissionError), open(target, "rb") as file:
        if file.read(len(_DATABASE)) == _DATABASE:
            raise InvalidArgument(
                "FILE", f"{target!r} is a database, and would be replaced; its own URL is --url"
            )


def _status(file: str) -> os.stat_result | None:
    try:
        return os.stat(file)
    except FileNotFoundError:
        return None


def _is_same(target: str, there: os.stat_result) -> bool:
    found = _status(target)
    return found is not None and os.path.samestat(found, there)


def _make(file: str, like: os.stat_result | None) -> int:
    """Make a file, never readable by anybody who could not read the one that it replaces."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    if like is None:
        return os.open(file, flags, _NEW_MODE)
    made = os.open(file, flags, 0o600)
    try:
        mode = _give(made, like)
        with suppress(PermissionError):  # some file systems have no modes
            os.fchmod(made, mode)
    except BaseException:
        os.close(made)
        raise
    return made


def _give(made: int, like: os.stat_result) -> int:
    """Give a file to the owner and the group of another, or to the group; return its mode then."""
    mode = stat.S_IMODE(like.st_mode)
    for owner in (like.st_uid, -1):
        with suppress(OSError):
            os.fchown(made, owner, like.st_gid)
            return mode
    # The members of its group were in the other's group or not: they may what both may do.
    both = mode & mode >> 3 & 0o007
    return mode & 0o700 | both << 3 | both
