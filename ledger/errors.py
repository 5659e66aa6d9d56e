"""Errors, as a tree by what the caller can do.

    LedgerError
      RetryableError            the same call may succeed later; event ids make repeating it safe
        BackendUnavailable      the server cannot be reached, or the connection broke too often
        AppendTimeout           another transaction held the session's bucket for too long
        TransactionAborted      a deadlock or a conflict of transactions ended this one
        OutcomeUnknown          a caller's own connection broke: ask the log before repeating
      CallError                 this call must change
        InvalidEvent            one field of one event breaks a rule (also a ValueError)
        InvalidArgument         an argument breaks a rule (also a ValueError)
        SequenceConflict        `expected` is not the session's head: read again, then decide
        IncarnationConflict     the session was deleted meanwhile: decide for the new one
        EventIdReused           the id belongs to another content
        InvalidCursor           the token is malformed or belongs to another ledger
        InvalidImport           a line of an import file is not acceptable
      StopError                 an operator must act; repeating or changing the call is no help
        LedgerClosed            the ledger was closed
        ForkedProcess           the ledger was opened before a fork, by the parent process
        OtherEventLoop          the ledger was opened in another event loop
        AccessDenied            the role or its password is refused, or lacks a right
        NotALedger              the file or database holds something else
        SchemaTooNew            the ledger was written by a newer version of this library
        StorageFailed           the disk is full, read-only or damaged
        IntegrityError          what is stored is not what was appended
        UpcastFailed            an upcaster cannot lift a stored payload

The first paragraph of each docstring says what to do next and is part of the message, but for
InvalidArgument, whose reason does. What a payload's keys or somebody else's code say stands in a
message as `visible_text` shows it.
"""

from __future__ import annotations

from .visible_text import shown


class LedgerError(Exception):
    """Look at the subclass: it says what to do."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        advice = (type(self).__doc__ or "").split("\n\n")[0]  # python -OO takes it away
        return " ".join([self.problem, *advice.split()])

    def __reduce__(self) -> tuple[object, ...]:
        # Fields are set by subclasses' own constructors, so the default (cls, args) would not do.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(cls: type[LedgerError], fields: dict[str, object]) -> LedgerError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    error.args = (fields["problem"],)
    return error


class RetryableError(LedgerError):
    """Try again later with the same event ids; nothing is stored twice."""


class BackendUnavailable(RetryableError):
    """Check that the server runs and can be reached, then try again with the same event ids."""


class AppendTimeout(RetryableError):
    """Another transaction holds this session's bucket: let it finish, then try again."""

    def __init__(self, bucket: int, waited_s: float) -> None:
        self.bucket = bucket
        self.waited_s = waited_s
        super().__init__(f"Bucket {bucket} was locked for more than {waited_s:g} s.")


class TransactionAborted(RetryableError):
    """Nothing was stored: run the whole transaction again, with the same event ids."""


class OutcomeUnknown(RetryableError):
    """Your transaction's connection broke: run the whole transaction again; ids stay safe."""


class CallError(LedgerError):
    """Change the call; repeating it as it is will fail again."""


class InvalidArgument(CallError, ValueError):
    """Correct the argument; `reason` says how."""

    def __init__(self, argument: str, reason: str) -> None:
        self.argument = argument
        self.reason = reason
        super().__init__(f"{argument}: {reason}.")

    def __str__(self) -> str:
        return self.problem  # which says it all


class InvalidEvent(CallError, ValueError):
    """Correct the named field; the call has changed nothing.

    Of several events `place` names the one that is meant, as in `events[3]`, and `field` is the
    whole path to what is wrong, as in `events[3].payload.role`; of one event it is "". The message
    is one line that a terminal does not obey, and not too long; `field` and `reason` are as they came.
    """

    def __init__(self, field: str, reason: str, place: str = "") -> None:
        self.field = f"{place}.{field}" if place else field
        self.reason = reason
        self.place = place
        super().__init__(f"{shown(self.field)}: {shown(reason)}.")

    @property
    def event_field(self) -> str:
        """The field as it is called within its event."""
        return self.field[len(self.place) + 1 :] if self.place else self.field


class SequenceConflict(CallError):
    """Nothing was stored: read the session from `expected` on, decide again, append again."""

    def __init__(self, tenant: str, session_id: str, expected: int, actual: int) -> None:
        self.tenant = tenant
        self.session_id = session_id
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"Session {session_id!r} is at sequence {actual}, {expected} was expected."
        )


class IncarnationConflict(CallError):
    """Nothing was stored: ask `heads` which incarnation goes on, decide again, append for that.

    An incarnation is called by the sequence of the deletion before it, the first one 0.
    """

    def __init__(self, tenant: str, session_id: str, expected: int, actual: int) -> None:
        self.tenant = tenant
        self.session_id = session_id
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"Session {session_id!r} is in incarnation {actual}, {expected} was expected."
        )


class EventIdReused(CallError):
    """Nothing was stored: give the new content an event id of its own."""

    def __init__(self, tenant: str, session_id: str, event_id: str) -> None:
        self.tenant = tenant
        self.session_id = session_id
        self.event_id = event_id
        super().__init__(f"Event {event_id!r} of session {session_id!r} has other content.")


class InvalidCursor(CallError, ValueError):
    """Start from the beginning (no cursor) or use a cursor that this ledger handed out."""


class InvalidImport(CallError, ValueError):
    """Correct the file, or import it into an empty ledger; earlier batches stay imported."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"Line {line}: {shown(reason)}.")


class StopError(LedgerError):
    """Repeating or changing the call is no help; somebody has to look."""


class LedgerClosed(StopError):
    """Open a ledger again; this one was closed."""


class ForkedProcess(StopError):
    """Open a ledger in the child; if it is a file, start the child by spawn or forkserver.

    Or forked before the parent opened the file: SQLite takes its parent's locks for its own.
    """


class OtherEventLoop(StopError):
    """Open a ledger in each event loop; this one belongs to another."""


class AccessDenied(StopError):
    """Correct the role or its password, or grant it the right that is missing."""


class NotALedger(StopError):
    """Name a ledger's own file or database, or one that does not exist yet."""


class SchemaTooNew(StopError):
    """Upgrade this library; it does not know the newer tables and leaves them alone."""

    def __init__(self, found: int, known: int) -> None:
        self.found = found
        self.known = known
        super().__init__(f"The ledger has schema {found}, this version knows up to {known}.")


class StorageFailed(StopError):
    """Look at the storage (space, permissions, health); the call itself is fine."""


class IntegrityError(StopError):
    """Keep the storage as it is, run `verify`, and restore from a backup or an export."""


class UpcastFailed(StopError):
    """Correct the upcaster and read again: nothing was passed over, and what is stored is as it was.

    What the upcaster raised is the cause.
    """

    def __init__(
        self,
        type: str,
        from_version: int,
        bucket: int,
        position: int,
        session: tuple[str, str],
        sequence: int,
        event_id: str,
        reason: str,
    ) -> None:
        self.type = type
        self.from_version = from_version
        self.bucket = bucket
        self.position = position
        self.tenant, self.session_id = session
        self.sequence = sequence
        self.event_id = event_id
        self.reason = reason
        super().__init__(
            f"The upcaster of {type!r} from version {from_version} failed at event {event_id!r},"
            f" {sequence} of session {self.session_id!r}, tenant {self.tenant!r} (bucket {bucket},"
            f" position {position}): {shown(reason)}."
        )
