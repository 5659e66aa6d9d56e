"""The command line called in this process, as a shell would call it."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple
from unittest import mock

from projections.cli import main


class Done(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


def run_cli(*arguments: str, stdin: bytes = b"", tty: bool = False) -> Done:
    """Call `ledger` with arguments and return its exit code and what it wrote."""
    streams = [_Stream(tty), _Stream(tty)]
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    with (
        mock.patch.object(sys, "argv", ["ledger", *arguments]),
        mock.patch.object(sys, "stdin", given),
        mock.patch.object(sys, "stdout", streams[0]),
        mock.patch.object(sys, "stderr", streams[1]),
    ):
        code = _exit_code()
        out, err = (stream.written() for stream in streams)
    return Done(code, out, err)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as error:
        if error.code is None:
            return 0
        return error.code if isinstance(error.code, int) else 1
    return 0


class _Stream(io.TextIOWrapper):
    def __init__(self, tty: bool) -> None:
        self._bytes = io.BytesIO()
        self._tty = tty
        super().__init__(self._bytes, encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return self._tty

    def written(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()
