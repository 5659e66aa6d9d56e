"""A copy of a ledger in one file, taken while others append to it."""

from __future__ import annotations

import os

from .arguments import flag
from .backends import backup_backend
from .backends.base import Backend
from .errors import IntegrityError
from .options import OpenOptions
from .plans import run
from .verify import verify_everything


def backup(
    url: str, path: str | os.PathLike[str], *, verify: bool = False, lock_timeout_s: float = 10.0
) -> None:
    """Copy the SQLite file of a ledger, views and all, into a new file; nobody waits for it.

    The copy is the ledger as it was at one moment behind the call: every event whose append had
    returned is in it. It is one file, as private as the original, and has its name when it is whole
    and on disk; until then it is `path` with a random ending and `.part`. With `verify` it gets its
    name only if `Ledger.verify` finds nothing, and is brought up to date by that, as by opening it.
    While it is made, the original's -wal file grows. What is there is never replaced.

    The copy is the same ledger, with the same id: append to one of both. Raises InvalidArgument, for
    what is no file, too, NotALedger, StorageFailed, BackendUnavailable, IntegrityError, ForkedProcess.
    """
    options = OpenOptions(lock_timeout_s=lock_timeout_s)
    check = _verified if flag(verify, "verify") else None
    backup_backend(url, path, options, check)


def _verified(copy: Backend) -> None:
    report = run(verify_everything(copy, copy.info.buckets, None))
    if not report.ok:
        found = "; ".join(
            f"{one.session_id!r} {one.sequence}: {one.problem}" for one in report.findings[:3]
        )
        raise IntegrityError(
            f"it does not verify: findings: {len(report.findings)}, first {found}."
        )
