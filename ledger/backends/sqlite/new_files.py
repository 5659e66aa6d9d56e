"""New database files: whole, flushed and private under their names, or not there at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...errors import InvalidArgument, StorageFailed
from ...refusals import shown
from .location import path_of

#: What SQLite takes for a part of the file whose name it begins with: one that was left there by
#: another file would be read into the new one.
_BESIDE = ("", "-wal", "-shm", "-journal")


def free_name(path: object) -> str:
    """Return the absolute path that is meant; raise InvalidArgument if a file cannot be made there."""
    named = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(named, str) or named.startswith("sqlite:"):
        raise InvalidArgument("path", f"expected the name of a file, got {shown(path)}")
    # Said here, because what path_of advises is how to write a URL.
    if not named or "\0" in named or named == ":memory:":
        raise InvalidArgument("path", "it names no file")
    if os.path.basename(named) in ("", os.curdir, os.pardir):
        raise InvalidArgument("path", f"{named!r} is a directory's name; name a file in it")
    try:
        target = path_of(named)
    except InvalidArgument as error:
        raise InvalidArgument("path", error.reason) from error
    if not os.path.isdir(os.path.dirname(target)):
        raise InvalidArgument("path", f"there is no directory {os.path.dirname(target)!r}")
    _check_free(target)
    return target


@contextmanager
def made(target: str, like: os.stat_result) -> Iterator[str]:
    """Yield the name of an empty file that gets its own one at the end, unless that was taken.

    It is readable by nobody who could not read the file that it is `like`. If anything fails,
    nothing is left of it.
    """
    unnamed = f"{target}.{secrets.token_hex(4)}.part"
    try:
        with _errors_of(target):
            _make(unnamed, like)
        yield unnamed
        with _errors_of(target):
            _flush(unnamed)
            _give_name(unnamed, target)
            _flush(os.path.dirname(target))
    finally:
        for ending in _BESIDE:
            # It is not there, or what made it fail is under way, or the file has its name.
            with suppress(OSError):
                os.unlink(unnamed + ending)


def _check_free(target: str) -> None:
    for ending in _BESIDE:
        if os.path.lexists(target + ending):
            raise InvalidArgument("path", f"{target + ending!r} is there, and stays as it is")


@contextmanager
def _errors_of(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            reason = "the name is too long; until the file is whole, an ending is added to it"
            raise InvalidArgument("path", reason) from error
        raise StorageFailed(f"{target} cannot be made: {error.strerror}.") from error


def _make(unnamed: str, like: os.stat_result) -> None:
    file = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Whoever makes it has to write it, and to read it: no user but its owner gets more.
        mode = stat.S_IMODE(like.st_mode) & 0o666 | 0o600
        try:
            os.fchown(file, like.st_uid, like.st_gid)
        except OSError:
            mode &= 0o600  # its group is another one here
        with suppress(PermissionError):  # some file systems have no modes
            os.fchmod(file, mode)
    finally:
        os.close(file)


def _give_name(unnamed: str, target: str) -> None:
    try:
        os.link(unnamed, target)  # unlike a rename, it replaces nothing
    except OSError:
        # It is there, or the file system has no links.
        _check_free(target)
        os.rename(unnamed, target)


def _flush(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
