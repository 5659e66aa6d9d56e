"""The storage of views, chosen by the storage of the log: both live in one database."""

from __future__ import annotations

from typing import Any

from ledger import InvalidArgument
from ledger.backends.memory import MemoryBackend
from ledger.backends.threaded import ThreadedBackend

from .base import AsyncViewBackend, ViewBackend
from .memory import MemoryViews
from .threaded import ThreadedViews


def open_views(log: Any) -> ViewBackend:
    """Return the storage beside a log; drivers are imported only for logs that use them."""
    if isinstance(log, MemoryBackend):
        return MemoryViews(log)
    if _is_from("sqlite", log):
        from .sqlite import SqliteViews

        return SqliteViews(log)
    if _is_from("postgres", log):
        from .postgres import PostgresViews

        return PostgresViews(log)
    raise _unknown(log)


def open_views_async(log: Any) -> AsyncViewBackend:
    """Return the storage beside a log, for the log's event loop."""
    if isinstance(log, ThreadedBackend):
        return ThreadedViews(open_views(log.backend), log)
    if _is_from("postgres", log):
        from .postgres import AsyncPostgresViews

        return AsyncPostgresViews(log)
    raise _unknown(log)


def _is_from(package: str, log: object) -> bool:
    # isinstance would import the driver to ask whether it is in use.
    prefix = f"ledger.backends.{package}."
    return any(cls.__module__.startswith(prefix) for cls in type(log).__mro__)


def _unknown(log: object) -> InvalidArgument:
    return InvalidArgument("ledger", f"there are no views beside a {type(log).__name__}")
