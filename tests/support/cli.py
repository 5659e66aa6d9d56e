"""The command line called in this process, as a shell would call it."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection
from contextlib import ExitStack
from typing import NamedTuple
from unittest import mock

from projections.cli import main


class Done(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


def run_cli(
    *arguments: str,
    stdin: bytes = b"",
    tty: bool = False,
    encoding: str = "utf-8",
    closed: Collection[str] = (),
) -> Done:
    """Call `ledger` with arguments and return its exit code and what it wrote.

    Streams that are `closed`, by their names in `sys`, are None, as Python has them then.
    """
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    written = {name: _Stream(tty, encoding) for name in ("stdout", "stderr")}
    streams: dict[str, io.TextIOWrapper] = {"stdin": given, **written}
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(sys, "argv", ["ledger", *arguments]))
        for name, stream in streams.items():
            there = None if name in closed else stream
            patches.enter_context(mock.patch.object(sys, name, there))
        code = _exit_code()
    return Done(code, *(stream.written() for stream in written.values()))


def _exit_code() -> int:
    try:
        main()
    except SystemExit as error:
        if error.code is None:
            return 0
        return error.code if isinstance(error.code, int) else 1
    return 0


class _Stream(io.TextIOWrapper):
    def __init__(self, tty: bool, encoding: str) -> None:
        self._bytes = io.BytesIO()
        self._tty = tty
        super().__init__(self._bytes, encoding=encoding, newline="")

    def isatty(self) -> bool:
        return self._tty

    def written(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode(self.encoding)
