"""The backends, and the choice of one by URL; drivers are imported only when they are chosen."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import InvalidArgument, StopError
from ..processes import refuse_in_children
from ..urls import Address, parse
from .base import AsyncBackend, Backend, OpenOptions, WaitableBackend


def open_backend(url: str, options: OpenOptions) -> Backend:
    """Open the backend that a URL names."""
    address = parse(url)
    if address.kind != "postgresql":
        return _open_local(address, options)
    try:
        from .postgres import open_postgres
    except ImportError as error:
        raise _missing_driver() from error
    return refuse_in_children(open_postgres(address.target, options))


async def open_backend_async(url: str, options: OpenOptions) -> AsyncBackend:
    """Open the backend that a URL names, for the running event loop."""
    address = parse(url)
    if address.kind != "postgresql":
        import asyncio

        from .threaded import ThreadedBackend

        # Opening a file may wait for the process that is making it.
        local = await asyncio.to_thread(_open_local, address, options)
        return refuse_in_children(ThreadedBackend(local, inline=address.kind == "memory"))
    try:
        from .postgres import open_postgres_async
    except ImportError as error:
        raise _missing_driver() from error
    return refuse_in_children(await open_postgres_async(address.target, options))


def distribute_backend(url: str, options: OpenOptions, shards: int) -> bool:
    """Spread the tables of the backend that a URL names over several servers."""
    address = parse(url)
    if address.kind != "postgresql":
        raise InvalidArgument("url", "several servers have a ledger only on PostgreSQL with Citus")
    try:
        from .postgres.distributing import distribute_tables
    except ImportError as error:
        raise _missing_driver() from error
    return distribute_tables(address.target, options, shards)


def backup_backend(
    url: str,
    path: str | os.PathLike[str],
    options: OpenOptions,
    check: Callable[[Backend], None] | None,
) -> None:
    """Copy the file of the backend that a URL names; the copy is checked before it has its name."""
    address = parse(url)
    if address.kind == "postgresql":
        raise InvalidArgument(
            "url",
            "a ledger on PostgreSQL is copied by pg_dump -n SCHEMA, which is ledger unless it was"
            " opened with another",
        )
    if address.kind == "memory":
        raise InvalidArgument("url", "a ledger in memory has no file to copy; export it")
    from .sqlite.backup import back_up

    back_up(address.target, path, options, check)


def _open_local(address: Address, options: OpenOptions) -> WaitableBackend:
    if address.kind == "memory":
        from .memory import MemoryBackend

        return refuse_in_children(MemoryBackend(options))
    from .sqlite import open_sqlite

    return open_sqlite(address.target, options)


def _missing_driver() -> StopError:
    return StopError(
        "PostgreSQL needs psycopg: pip install 'agent-session-ledger[postgres]' brings it."
    )
