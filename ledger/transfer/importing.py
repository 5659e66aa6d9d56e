"""Importing: every line is verified against its session's chain before its batch is stored.

Nothing is believed that can be computed: payload digests, body digests and the chain are made
anew, on top of what this ledger holds, and the hashes that the store answers are compared again.
A batch is stored in the order of its lines, in one transaction, so that the imported log can be
followed in the order in which it happened. A fork that stands before its parent's event waits for
it, with all of its session, and is stored behind the batch that brings it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec

from ..batch import Door
from ..digests import bucket_of, payload_digest
from ..errors import InvalidImport
from ..plans import Plan
from ..reading import Storage
from ..records import Head, Record
from .checks import (
    Chain,
    Session,
    check_event_ids,
    check_known,
    check_next,
    event_id_again,
    session_of,
)
from .event_ids import EventIds
from .exporting import event_at
from .format import (
    FORMAT,
    HEADER_BYTES_MAX,
    TRAILER_START,
    VERSION,
    HeaderLine,
    Imported,
    Key,
    TrailerLine,
    decode_event,
    decode_line,
    key_of,
)
from .storing import check_same, sessions_of, store
from .waiting import Waiting

IMPORT_BATCH_EVENTS = 500
IMPORT_BATCH_BYTES = 16_777_216
#: Whose chain is remembered from batch to batch; others are read again.
KNOWN_SESSIONS_MAX = 10_000
#: How far a recorded time may be ahead: a bucket's clock never goes back, so a far one would stay.
AHEAD_US_MAX = 86_400_000_000


class ImportReport(msgspec.Struct, frozen=True):
    """What an import has done so far: events it stored, and events that were there before."""

    stored: int = 0
    already_stored: int = 0

    @property
    def events(self) -> int:
        """The events of the file."""
        return self.stored + self.already_stored


class Importer:
    """One import: `add` every line, `flush` whenever it asks for that, then `finish`."""

    def __init__(
        self,
        backend: Storage,
        door: Door,
        sleep: Callable[[float], Any],
        progress: Callable[[ImportReport], None] | None,
        allow_future: bool,
    ) -> None:
        self.report = ImportReport()
        self._backend = backend
        self._door = door
        self._payload_bytes_max = door.limits.payload_bytes_max
        self._sleep = sleep
        self._progress = progress
        self._allow_future = allow_future
        self._hash = sha256()
        self._number = self._events = 0
        self._ended = False
        self._last: Key = (0, "", "", 0)
        self._batch: list[Imported] = []
        self._batch_bytes = 0
        self._chains: dict[Session, Chain] = {}
        self._event_ids = EventIds()
        self._waiting = Waiting(backend)

    def add(self, line: bytes) -> bool:
        """Check one line by itself and say whether a batch is full."""
        self._number += 1
        if not isinstance(line, bytes):
            self._refuse(f"expected bytes, got {type(line).__name__}")
        if len(line) > 2 * self._payload_bytes_max + HEADER_BYTES_MAX:
            self._refuse("longer than any event this ledger accepts")
        if self._ended:
            self._refuse("there is something behind the last line")
        if self._number == 1:
            self._check_header(line)
        elif line.startswith(TRAILER_START):
            self._check_trailer(line)
            return False
        else:
            self._add_event(line)
        self._hash.update(line)
        return len(self._batch) >= IMPORT_BATCH_EVENTS or self._batch_bytes >= IMPORT_BATCH_BYTES

    def flush(self) -> Plan[None]:
        """Verify the batch and store what of it is new; nothing is stored if a line is wrong."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        sessions = sessions_of(batch)
        chains: dict[Session, Chain] = {}
        for session, events in sessions.items():
            chains[session] = yield from self._verified(session, events)
        new = [
            event
            for event in batch
            if event.record.sequence > chains[session_of(event.record)].head
        ]
        check_event_ids(new)
        if new:
            check_known(new, self._door.catalogue)
        for session, events in sessions.items():
            yield from self._check_new_ids(session, events, chains[session])
        admitted = yield from self._waiting.admit(new)
        released = yield from self._released(batch)
        stored = yield from store(self._backend, self._sleep, admitted)
        self._count(stored, len(batch) - len(new) + len(admitted) - stored)
        for part in _batches(released):
            stored = yield from store(self._backend, self._sleep, part)
            self._count(stored, len(part) - stored)
        self._remember(chains)

    def finish(self) -> Plan[ImportReport]:
        """Store the last batch, if the file is whole and no fork waits for its parent still."""
        if not self._ended:
            self._number += 1
            self._refuse("the file ends here without its last line, so it was cut")
        yield from self.flush()
        return self.report

    def _refuse(self, reason: str) -> None:
        raise InvalidImport(self._number, reason)

    def _check_header(self, line: bytes) -> None:
        header = decode_line(line, HeaderLine, self._number)
        if header.format != FORMAT:
            self._refuse(f"the format is {header.format!r}, expected {FORMAT!r}")
        if header.version != VERSION:
            self._refuse(f"the format's version is {header.version}, this library reads {VERSION}")

    def _check_trailer(self, line: bytes) -> None:
        trailer = decode_line(line, TrailerLine, self._number)
        if trailer.events != self._events:
            self._refuse(f"{trailer.events} events were written, {self._events} are here")
        if trailer.sha256 != self._hash.hexdigest():
            self._refuse("the lines before are not the ones that were written")
        self._ended = True

    def _add_event(self, line: bytes) -> None:
        event = decode_event(line, self._number, self._payload_bytes_max)
        record = event.record
        key = key_of(record)
        if key <= self._last:
            self._refuse("it does not come behind the line before, in the order of an export")
        ahead_us = record.recorded_us - time.time_ns() // 1_000
        if ahead_us > AHEAD_US_MAX and not self._allow_future:
            self._refuse(
                "recorded_us: more than a day in the future, and all that is recorded beside it"
                " would be, too; if its clock was wrong and you want that, `allow_future`"
            )
        if payload_digest(record.salt, record.payload) != record.payload_digest:
            self._refuse("payload, salt and payload_digest do not fit together")
        self._last = key
        self._events += 1
        self._batch.append(event)
        self._batch_bytes += event.size

    def _verified(self, session: Session, events: list[Imported]) -> Plan[Chain]:
        """Return the session's chain behind these events, with `head` as it was before them."""
        chain = self._chains.pop(session, None)
        if chain is None:
            chain = yield from self._start(session, events[0])
        for event in events:
            check_next(event, chain)
            record = event.record
            chain = Chain(
                record.sequence, record.event_hash, record.recorded_us, chain.head, chain.whole
            )
        yield from check_same(self._backend, session, events, chain.head)
        return chain

    def _start(self, session: Session, first: Imported) -> Plan[Chain]:
        bucket = bucket_of(*session, self._backend.info.buckets)
        head: Head = yield self._backend.head(bucket, *session)
        if first.prev_hash is not None:
            return Chain(0, first.prev_hash, 0, head.sequence, True)
        before: Record | None = yield from event_at(
            self._backend, *session, first.record.sequence - 1
        )
        if before is None:
            raise InvalidImport(
                first.number,
                f"event {first.record.sequence - 1} of session {session[1]!r} is missing",
            )
        return Chain(before.sequence, before.event_hash, before.recorded_us, head.sequence, False)

    def _check_new_ids(
        self, session: Session, events: Sequence[Imported], chain: Chain
    ) -> Plan[None]:
        """Raise InvalidImport if an event has the id of one that is here already.

        Of a session that came whole so far only ids that came before can be; others are asked for.
        """
        met = self._event_ids.add(session, events)
        if not chain.head:
            return
        bucket = bucket_of(*session, self._backend.info.buckets)
        for event in met if chain.whole else events:
            if event.record.sequence <= chain.head:
                continue
            known: Record | None = yield self._backend.get(bucket, *session, event.record.event_id)
            if known is not None and known.event_hash != event.record.event_hash:
                raise event_id_again(event)

    def _released(self, batch: Sequence[Imported]) -> Plan[list[Imported]]:
        """Return what waited for events of this batch; at the end nothing may wait still."""
        if not self._waiting:
            return []
        released = self._waiting.release(
            event.record for event in batch if session_of(event.record) not in self._waiting
        )
        if self._ended:
            released += yield from self._waiting.release_rest()
        return released

    def _count(self, stored: int, already_stored: int) -> None:
        self.report = ImportReport(
            self.report.stored + stored, self.report.already_stored + already_stored
        )
        if self._progress is not None:
            self._progress(self.report)

    def _remember(self, chains: dict[Session, Chain]) -> None:
        for session, chain in chains.items():
            head = max(chain.head, chain.sequence)
            self._chains[session] = msgspec.structs.replace(chain, head=head)
        excess = len(self._chains) - KNOWN_SESSIONS_MAX
        if excess > 0:
            # Of what waits nothing is stored from which it could be read again.
            known = (session for session in self._chains if session not in self._waiting)
            for session in list(islice(known, excess)):
                del self._chains[session]


def _batches(events: Sequence[Imported]) -> Iterator[list[Imported]]:
    """Yield events in parts that are not larger than the batches of a file."""
    part: list[Imported] = []
    size = 0
    for event in events:
        part.append(event)
        size += event.size
        if len(part) >= IMPORT_BATCH_EVENTS or size >= IMPORT_BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
