"""Opening a file: whose it is, making it a ledger, bringing its tables up to date."""

from __future__ import annotations

import os
import random
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from typing import Any

import apsw
import msgspec

from ...errors import IntegrityError, InvalidArgument, NotALedger, SchemaTooNew, StorageFailed
from ...limits import BUCKETS_MAX
from ..base import LedgerInfo, OpenOptions
from ..queries import load_queries
from .connections import WRITER_STATEMENTS_MAX, connect
from .errors import translated

#: "asl1" in ASCII; migrations/0001_ledger.sql writes it.
APPLICATION_ID = 0x61736C31
_DEFAULT_BUCKETS = 1
_SQL = load_queries(__package__, "queries.sql")
_MIGRATIONS = [
    file.read_text("utf-8")
    for file in sorted(files(__package__).joinpath("migrations").iterdir(), key=lambda f: f.name)
    if file.name.endswith(".sql")
]
SCHEMA = len(_MIGRATIONS)


class _Identity(msgspec.Struct, frozen=True):
    application_id: int
    schema: int
    objects: int

    @property
    def new(self) -> bool:
        return not (self.application_id or self.schema or self.objects)


def open_file(path: str, options: OpenOptions) -> tuple[apsw.Connection, LedgerInfo]:
    """Return the connection that will write, and what the ledger is; make or migrate it first.

    Nothing is written to a file that belongs to somebody else. Two processes may do this at once.
    """
    if not options.create:
        _check_there(path)
    with suppress(OSError):  # it is not there, or SQLite will say why not
        refuse_special_file(path, os.stat(path))
    with translated(path), _foreign_files_refused(path):
        connection = connect(
            path,
            options.lock_timeout_s,
            create=options.create,
            statements_max=WRITER_STATEMENTS_MAX,
        )
        try:
            identity = _identity_of_one_moment(connection, path)
            if identity.new and not options.create:
                raise InvalidArgument("url", f"there is no ledger in {path!r}, which is empty")
            if connection.readonly("main"):
                raise StorageFailed(f"{path} cannot be written; a ledger is opened for writing.")
            _use_wal(connection, path, options.lock_timeout_s)
            if identity.schema < SCHEMA:
                _migrate(connection, path, options.buckets or _DEFAULT_BUCKETS)
            return connection, _info(connection, path, options)
        except BaseException:
            connection.close(True)
            raise


def _check_there(path: str) -> None:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = f"there is no file {path!r}; `ledger init` makes one"
        raise InvalidArgument("url", missing) from error
    except OSError:
        return  # a directory that cannot be looked into, say, as SQLite will find, too


@contextmanager
def _foreign_files_refused(path: str) -> Iterator[None]:
    try:
        yield
    except apsw.NotADBError as error:
        raise NotALedger(f"{path} is no SQLite database.") from error


def refuse_special_file(path: str, state: os.stat_result) -> None:
    """Raise NotALedger for what cannot be a database."""
    if not stat.S_ISREG(state.st_mode):
        kind = "a directory" if stat.S_ISDIR(state.st_mode) else "no regular file"
        raise NotALedger(f"{path} is {kind}.")


def _identity_of_one_moment(connection: apsw.Connection, path: str) -> _Identity:
    # Else another process may make the ledger between two of the questions, and a file that had no
    # name and then has tables is taken for somebody else's.
    connection.execute("BEGIN")
    try:
        return _identity(connection, path)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _identity(connection: apsw.Connection, path: str) -> _Identity:
    identity = _Identity(
        connection.pragma("application_id"),
        connection.pragma("user_version"),
        connection.execute(_SQL["foreign_objects"]).get,
    )
    if not identity.new and identity.application_id != APPLICATION_ID:
        raise NotALedger(f"{path} is a SQLite database, but of another application.")
    if identity.schema > SCHEMA:
        raise SchemaTooNew(identity.schema, SCHEMA)
    return identity


def _use_wal(connection: apsw.Connection, path: str, timeout_s: float) -> None:
    # Asked first: setting it needs the file for oneself, even where it is set already. Changing
    # it does not wait in the busy handler, hence the loop.
    deadline = time.monotonic() + timeout_s
    while connection.pragma("journal_mode") != "wal":
        try:
            mode = connection.pragma("journal_mode", "wal")
        except (apsw.BusyError, apsw.LockedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - spreads waiters
            continue
        if mode != "wal":
            raise StorageFailed(f"{path}: its file system cannot hold a write-ahead log.")


def _migrate(connection: apsw.Connection, path: str, buckets: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Once more under the lock: another process may have been faster.
        identity = _identity(connection, path)
        for migration in _MIGRATIONS[identity.schema :]:
            connection.execute(migration)
        if identity.new:
            connection.execute(_SQL["create_info"], (str(uuid.uuid4()), buckets))
            connection.executemany(_SQL["create_bucket"], ((n,) for n in range(buckets)))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _info(connection: apsw.Connection, path: str, options: OpenOptions) -> LedgerInfo:
    rows: list[Any] = connection.execute(_SQL["ledger_info"]).fetchall()
    if len(rows) != 1:
        raise IntegrityError(f"{path} has {len(rows)} rows that say which ledger it is, not one.")
    ledger_id, buckets = rows[0]
    if not ledger_id or not 1 <= buckets <= BUCKETS_MAX:
        raise IntegrityError(f"{path} calls itself ledger {ledger_id!r} of {buckets} buckets.")
    found: Any = connection.execute(_SQL["bucket_rows"]).fetchone()
    if found != (buckets, 0, buckets - 1):
        raise IntegrityError(
            f"{path} has {buckets} buckets, but {found[0]} rows for them, {found[1]} to {found[2]}."
        )
    if options.buckets not in (None, buckets):
        raise InvalidArgument(
            "buckets", f"{path} was created with {buckets}, for ever; leave the argument out"
        )
    return LedgerInfo(ledger_id, buckets, connection.pragma("user_version"))
