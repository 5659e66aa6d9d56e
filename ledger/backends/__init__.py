"""The backends, and the choice of one by URL; drivers are imported only when they are chosen."""

from __future__ import annotations

from ..errors import StopError
from ..urls import parse
from .base import AsyncBackend, Backend, OpenOptions


def open_backend(url: str, options: OpenOptions) -> Backend:
    """Open the backend that a URL names."""
    address = parse(url)
    if address.kind == "memory":
        from .memory import MemoryBackend

        return MemoryBackend(options)
    if address.kind == "sqlite":
        from .sqlite import open_sqlite

        return open_sqlite(address.target, options)
    try:
        from .postgres import open_postgres
    except ImportError as error:
        raise _missing_driver() from error
    return open_postgres(address.target, options)


async def open_backend_async(url: str, options: OpenOptions) -> AsyncBackend:
    """Open the backend that a URL names, for the running event loop."""
    address = parse(url)
    if address.kind == "postgresql":
        try:
            from .postgres import open_postgres_async
        except ImportError as error:
            raise _missing_driver() from error
        return await open_postgres_async(address.target, options)
    from .threaded import ThreadedBackend

    return ThreadedBackend(open_backend(url, options), inline=address.kind == "memory")


def _missing_driver() -> StopError:
    return StopError(
        "PostgreSQL needs psycopg: pip install 'agent-session-ledger[postgres]' brings it."
    )
