"""The entry point: commands together, and errors as one line and an exit code.

0 done · 1 `verify`, `status` or a comparison found something · 2 the call must change · 3 try again
later · 4 an operator must act · 130 interrupted · 141 nobody reads the output any more · 143 ended by
SIGTERM. A traceback would bury the sentence that says what to do.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

from ledger import LedgerError, RetryableError, StopError

from ..engine.versions import FoldChanged
from . import (  # noqa: F401  # each adds its commands
    anomalies,
    backup,
    diff,
    distribute,
    lifecycle,
    project,
    reading,
    rebuild,
    search,
    show,
    skips,
    status,
    transfer,
    verify,
    versions,
    writing,
)
from .app import app
from .safe_text import safe

#: As a shell tells it of a program that SIGPIPE ended.
_NOBODY_READS = 141
#: The same of SIGTERM.
_TERMINATED = 143
_FOR_AN_OPERATOR = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})


def main() -> None:
    """Run the command in sys.argv and exit with its code."""
    _escape_what_cannot_be_written()
    out = sys.stdout
    try:
        _run(out)
    except LedgerError as error:
        _fail(str(error), exit_code(error))
    except BrokenPipeError:
        # Whoever read from us has enough; a second error at exit would say nothing new.
        _drop_what_is_left(out)
        sys.exit(_NOBODY_READS)
    except OSError as error:
        if error.filename is None:
            _drop_what_is_left(out)
        problem = f"{error.filename or 'standard input or output'}: {error.strerror or error}"
        _fail(problem, 4 if error.errno in _FOR_AN_OPERATOR else 2)


def _run(out: TextIO | None) -> None:
    try:
        with _plain_warnings(), _ended_by_sigterm():
            app(prog_name="ledger")
    except SystemExit as ended:
        if ended.code == _TERMINATED:
            _drop_what_is_left(out)  # whoever is to read it may never do so
            raise
        # Typer puts another in the place of a closed one, and exits with 1.
        if sys.stdout is not out:
            raise BrokenPipeError from None
        if out is not None:
            out.flush()  # here, where what it meets gets its code
        raise


def _drop_what_is_left(out: TextIO | None) -> None:
    if out is not None:
        with suppress(io.UnsupportedOperation):  # of what is no file nothing is written at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _escape_what_cannot_be_written() -> None:
    """Let a character that the terminal's encoding lacks show as its code, as in errors of Python."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that no half of a file is left; twice, at once."""
    in_charge = threading.current_thread() is threading.main_thread()
    if not in_charge or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise SystemExit(_TERMINATED)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Say that a fold was changed as everything else is said, in one line."""
    with warnings.catch_warnings():
        before = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **options: Any) -> None:
            if issubclass(category, FoldChanged):
                _tell(str(message))
            else:
                before(message, category, *rest, **options)

        warnings.showwarning = show
        warnings.simplefilter("always", FoldChanged)
        yield


def exit_code(error: LedgerError) -> int:
    """Return the exit code of an error, by what its caller can do."""
    if isinstance(error, RetryableError):
        return 3
    return 4 if isinstance(error, StopError) else 2


def _fail(problem: str, code: int) -> None:
    try:
        _tell(problem)
    except OSError:  # nobody can be told, but by the code
        _drop_what_is_left(sys.stderr)
    sys.exit(code)


def _tell(problem: str) -> None:
    # Without a stream, print() writes among the results.
    if sys.stderr is not None:
        print(f"ledger: {safe(problem)}", file=sys.stderr)
