"""The entry point: commands together, and errors as one line and an exit code.

0 done · 1 `verify` or `status` found something · 2 the call must change · 3 try again later · 4 an operator
must act · 130 interrupted. A traceback would bury the sentence that says what to do.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ledger import LedgerError, RetryableError, StopError

from ..engine.versions import FoldChanged
from . import (  # noqa: F401  # each adds its commands
    diff,
    project,
    reading,
    rebuild,
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


def main() -> None:
    """Run the command in sys.argv and exit with its code."""
    _escape_what_cannot_be_written()
    try:
        with _plain_warnings():
            app(prog_name="ledger")
    except LedgerError as error:
        _fail(str(error), exit_code(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # Whoever read from us has enough; a second error at exit would say nothing new.
            if sys.stdout is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)


def _escape_what_cannot_be_written() -> None:
    """Let a character that the terminal's encoding lacks show as its code, as in errors of Python."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
    _tell(problem)
    sys.exit(code)


def _tell(problem: str) -> None:
    # Without a stream, print() writes among the results.
    if sys.stderr is not None:
        print(f"ledger: {safe(problem)}", file=sys.stderr)
