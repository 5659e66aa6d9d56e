"""What goes wrong while somebody watches: told to whoever asked for it, else logged."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar

from ledger import RetryableError

from ..errors import HandlerFailed, ProjectionFailed
from ..readers.arguments import callback

Failure = TypeVar("Failure", ProjectionFailed, HandlerFailed)

# Nobody waits for an answer of what watches, so what nobody hears would be found days later, as
# rows that are too old. Unconfigured, Python writes these lines to stderr.
_log = logging.getLogger("projections")


class Announcer(Generic[Failure]):
    """Tells of failures and of outages: each to its function, or, without one, to the log.

    An outage is logged as it begins and as it ends, not at every try in between, and an event at
    which something stopped once, however often it is tried again.
    """

    def __init__(
        self,
        on_failure: Callable[[Failure], None] | None,
        on_retry: Callable[[RetryableError], None] | None,
    ) -> None:
        # Now, and not when something fails for the first time, maybe months later.
        self._on_failure: Callable[[Failure], None] | None = callback(on_failure, "on_failure")
        self._on_retry = callback(on_retry, "on_retry")
        self._is_out = False
        #: By what failed and the bucket, the position of the event that was logged last.
        self._logged: dict[tuple[type[Exception], str, int, int], int] = {}

    def failed(self, failure: Failure) -> None:
        """Tell of an event that cannot be gone past; whoever called returns it as well."""
        if self._on_failure is not None:
            self._on_failure(failure)

    def unheard(self, failure: Failure) -> None:
        """Log a failure that nobody is told of and nobody gets as an answer."""
        if self._on_failure is not None:
            return
        told: ProjectionFailed | HandlerFailed = failure
        name = told.projection if isinstance(told, ProjectionFailed) else told.handler
        stopped = type(told), name, told.version, told.bucket
        if self._logged.get(stopped) != failure.position:
            self._logged[stopped] = failure.position
            _log.error("%s%s", failure, _where(failure.__cause__))

    def out(self, error: RetryableError) -> None:
        """Tell of what cannot be reached and is tried again."""
        if self._on_retry is not None:
            self._on_retry(error)
        elif not self._is_out:
            _log.warning("Trying again until it works: %s", error)
        self._is_out = True

    def reached(self) -> None:
        """Tell that it can be reached, if it could not."""
        if self._is_out and self._on_retry is None:
            _log.warning("It works again.")  # for who has read that it did not
        self._is_out = False


def _where(cause: BaseException | None) -> str:
    """Return the lines of code a failure came from; its text is in the error, safe to be shown."""
    frames = [] if cause is None else traceback.format_tb(cause.__traceback__)
    return "".join(["\n", *frames]).rstrip()
