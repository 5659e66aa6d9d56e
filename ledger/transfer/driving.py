"""Export and import, driven: the four loops behind the ledger's methods; see format."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator

from ..arguments import check_callback, flag
from ..backends.base import AsyncBackend, Backend
from ..batch import Door
from ..errors import InvalidArgument
from ..plans import arun, run
from ..refusals import shown
from .exporting import Exporter
from .importing import Importer, ImportReport

ImportProgress = Callable[[ImportReport], None]
#: What an async import reads.
AnyLines = Iterable[bytes] | AsyncIterable[bytes]


def export_lines(backend: Backend) -> Iterator[bytes]:
    """Yield the lines of an export."""
    exporter = Exporter(backend)
    page = run(exporter.start())
    while page:
        yield from page
        page = run(exporter.page())


async def export_async(backend: AsyncBackend) -> AsyncIterator[bytes]:
    """Yield the lines of an export."""
    exporter = Exporter(backend)
    page = await arun(exporter.start())
    while page:
        for line in page:
            yield line
        page = await arun(exporter.page())


def import_lines(
    backend: Backend,
    door: Door,
    lines: Iterable[bytes],
    progress: ImportProgress | None,
    allow_future: bool,
) -> ImportReport:
    """Store the lines of an export."""
    _check(lines, (Iterable,), progress, allow_future)
    importer = Importer(backend, door, time.sleep, progress, allow_future)
    for line in lines:
        if importer.add(line):
            run(importer.flush())
    return run(importer.finish())


async def import_async(
    backend: AsyncBackend,
    door: Door,
    lines: AnyLines,
    progress: ImportProgress | None,
    allow_future: bool,
) -> ImportReport:
    """Store the lines of an export."""
    import asyncio  # here, because it is a third of what `import ledger` would cost

    _check(lines, (Iterable, AsyncIterable), progress, allow_future)
    importer = Importer(backend, door, asyncio.sleep, progress, allow_future)
    async for line in lines if isinstance(lines, AsyncIterable) else _each(lines):
        if importer.add(line):
            await arun(importer.flush())
    return await arun(importer.finish())


def _check(lines: object, kinds: tuple[type, ...], progress: object, allow_future: object) -> None:
    # Before anything is stored.
    if not isinstance(lines, kinds) or isinstance(lines, str | bytes):
        raise InvalidArgument("lines", f"expected the lines of an export, got {shown(lines)}")
    check_callback(progress, "progress")
    flag(allow_future, "allow_future")


async def _each(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line
