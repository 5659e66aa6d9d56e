"""What a handler is: a plain function with effects outside, called for every event at least once.

A call comes with an idempotency key, to be handed to whatever the effect is on. The key is made of
the handler's name and of what names the event for good: tenant, session and event id. An id is
never used twice in a session, not after a deletion either; a fork does not copy its parent's
events; numbers, versions, buckets and clocks take no part. So the key of an event is the same in
every repeat, process and version, in a ledger that was exported and imported, and when a ledger was
restored from a backup and the same facts were appended again, maybe with other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from hashlib import sha256
from typing import Any, Literal, get_args

import msgspec

from ledger import InvalidArgument, RetryableError
from ledger.arguments import natural
from ledger.events import Event
from ledger.limits import TYPE_BYTES_MAX
from ledger.records import Record
from ledger.refusals import shown

from ...builtin import BUILTIN
from ...readers.arguments import instance, is_async, one_of, several, text
from ..projection import VERSION_MAX, check_free

#: Where a handler begins in a log that none of its versions has seen.
Start = Literal["head", "beginning"]
#: Tables are called after a handler, and PostgreSQL cuts their names.
NAME_BYTES_MAX = 40
_NAME = re.compile(rf"[a-z_][a-z0-9_]{{0,{NAME_BYTES_MAX - 1}}}")


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A function that is called as `handle(event, key)` for each event, in order per session.

    The name is the handler's for good: keys and places go by it. `types` and `tenant` are the
    events it wants, None for all, `session.deleted` and those of deleted sessions included.

    `start` says where a new handler begins: at the `head` of the log, as it is when the handler is
    first run, or at its `beginning`. Effects of years ago cannot be taken back, so the head is the
    default. A handler with a higher version begins where the one before stopped: it is not called
    for what was handled, and its `start` says nothing.

    What `handle` raises stops the handler in that bucket. If it is one of `retry_on`, the event is
    tried again after a while.
    """

    name: str
    version: int
    handle: Callable[[Event, str], Any]
    types: frozenset[str] | None = None
    tenant: str | None = None
    start: Start = "head"
    retry_on: tuple[type[Exception], ...] = (RetryableError, ConnectionError, TimeoutError)

    def wants(self, event: Event | Record) -> bool:
        """Whether the handler is called for an event."""
        return (self.types is None or event.type in self.types) and self.tenant in (
            None,
            event.tenant,
        )

    def key(self, event: Event | Record) -> str:
        """Return the idempotency key of a call: 64 hexadecimal digits.

        Who has several effects on one event makes a key for each, as in `f"{key}:mail"`. As the
        event id of a fact that is appended to the ledger, it makes that effect happen once.
        """
        named = (self.name, event.tenant, event.session_id, event.event_id)
        return sha256(b"asl1:handler\0" + msgspec.json.encode(named)).hexdigest()


def checked(handlers: Sequence[Handler], *, tasks: bool) -> Sequence[Handler]:
    """Return handlers for one of the faces; refuse what cannot be run there."""
    found = [instance(one, "handlers", Handler) for one in several(handlers, "handlers", "Handler")]
    for handler in found:
        _check(handler)
        if is_async(handler.handle) is not tasks:
            wanted = "an async one" if tasks else "a plain one; AsyncHandlers runs async ones"
            raise InvalidArgument("handle", f"the function of {handler.name} must be {wanted}")
    names = [handler.name for handler in found]
    if not names or len({*names}) < len(names):
        raise InvalidArgument("handlers", f"expected some, each with its own name, got {names!r}")
    return found


def _check(handler: Handler) -> None:
    name = text(handler.name, "name", NAME_BYTES_MAX)
    if not _NAME.fullmatch(name):
        raise InvalidArgument("name", f"expected a-z, 0-9 and _, got {shown(name)}")
    check_free(name)
    if name in {projection.name for projection in BUILTIN}:
        raise InvalidArgument("name", f"{name!r} is a view")
    if not 0 < natural(handler.version, "version") <= VERSION_MAX:
        raise InvalidArgument("version", f"expected 1 to {VERSION_MAX}, got {handler.version}")
    one_of(handler.start, "start", get_args(Start))
    for event_type in () if handler.types is None else _set(handler.types):
        text(event_type, "types", TYPE_BYTES_MAX)
    if handler.tenant is not None:
        text(handler.tenant, "tenant", empty=True)
    for error in instance(handler.retry_on, "retry_on", tuple):
        if not (isinstance(error, type) and issubclass(error, Exception)):
            raise InvalidArgument("retry_on", f"expected exceptions, got {shown(error)}")
    if not callable(handler.handle):
        raise InvalidArgument("handle", f"expected a function, got {shown(handler.handle)}")


def _set(types: object) -> Set[Any]:
    if not isinstance(types, Set):
        raise InvalidArgument("types", f"expected a set of them, got {shown(types)}")
    return types
