"""Importing: every line is verified against its session's chain before its batch is stored.

Nothing is believed that can be computed: payload digests, body digests and the chain are made
anew, on top of what this ledger holds, and the hashes that the store answers are compared again.
A batch is stored in the order of its lines, in one transaction, so that the imported log can be
followed in the order in which it happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

import msgspec

from ..backends.base import SessionQuery
from ..batch import Door
from ..digests import bucket_of, genesis, payload_digest
from ..errors import InvalidImport
from ..plans import Plan
from ..reading import Storage
from ..records import Head, Outcome, Part, Record, Unit
from ..rounds import store_round
from .checks import (
    Chain,
    Fork,
    Session,
    check_event_ids,
    check_fork,
    check_known,
    check_next,
    check_outcome,
    fork_of,
    session_of,
)
from .drafts import draft_of
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

IMPORT_BATCH_EVENTS = 500
IMPORT_BATCH_BYTES = 16_777_216
#: Whose chain is remembered from batch to batch; others are read again.
KNOWN_SESSIONS_MAX = 10_000
#: How far a recorded time may be ahead: a bucket's clock never goes back, so a far one would stay.
AHEAD_US_MAX = 86_400_000_000
RETRY_TIMEOUT_S = 30.0


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
    ) -> None:
        self.report = ImportReport()
        self._backend = backend
        self._door = door
        self._payload_bytes_max = door.limits.payload_bytes_max
        self._sleep = sleep
        self._progress = progress
        self._hash = sha256()
        self._number = self._events = 0
        self._ended = False
        self._last: Key = (0, "", "", 0)
        self._batch: list[Imported] = []
        self._batch_bytes = 0
        self._chains: dict[Session, Chain] = {}
        self._forks: list[Fork] = []

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
        sessions: dict[Session, list[Imported]] = {}
        for event in batch:
            sessions.setdefault(session_of(event.record), []).append(event)
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
        yield from self._check_forks(new)
        if new:
            yield from self._store(new)
        for session, chain in chains.items():
            head = max(chain.head, chain.sequence)
            self._chains[session] = msgspec.structs.replace(chain, head=head)
        while len(self._chains) > KNOWN_SESSIONS_MAX:
            del self._chains[next(iter(self._chains))]
        self.report = ImportReport(
            self.report.stored + len(new), self.report.already_stored + len(batch) - len(new)
        )
        if self._progress is not None:
            self._progress(self.report)

    def finish(self) -> Plan[ImportReport]:
        """Store the last batch, if the file is whole, and check forks that stood before parents."""
        if not self._ended:
            self._number += 1
            self._refuse("the file ends here without its last line, so it was cut")
        yield from self.flush()
        for fork in self._forks:
            parent = yield from event_at(self._backend, fork.tenant, fork.parent, fork.at)
            check_fork(fork, None if parent is None else parent.event_hash)
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
        if key_of(record) <= self._last:
            self._refuse("it does not come behind the line before, in the order of an export")
        if record.recorded_us > time.time_ns() // 1_000 + AHEAD_US_MAX:
            self._refuse("recorded_us: more than a day in the future")
        if payload_digest(record.salt, record.payload) != record.payload_digest:
            self._refuse("payload, salt and payload_digest do not fit together")
        self._last = key_of(record)
        self._events += 1
        self._batch.append(event)
        self._batch_bytes += len(line)

    def _verified(self, session: Session, events: list[Imported]) -> Plan[Chain]:
        """Return the session's chain behind these events, with `head` as it was before them."""
        chain = self._chains.pop(session, None)
        if chain is None:
            chain = yield from self._start(session, events[0])
        last = events[-1].record.sequence
        stored: dict[int, bytes] = {}
        if events[0].record.sequence <= chain.head:
            stored = yield from self._stored(session, events[0].record.sequence, last)
        for event in events:
            record = event.record
            check_next(event, chain)
            if stored.get(record.sequence, record.event_hash) != record.event_hash:
                raise InvalidImport(
                    event.number,
                    f"session {record.session_id!r} has another event {record.sequence} here",
                )
            chain = Chain(record.sequence, record.event_hash, record.recorded_us, chain.head)
        return chain

    def _start(self, session: Session, first: Imported) -> Plan[Chain]:
        bucket = bucket_of(*session, self._backend.info.buckets)
        head: Head = yield self._backend.head(bucket, *session)
        if first.prev_hash is not None:
            return Chain(0, first.prev_hash, 0, head.sequence)
        before: Record | None = yield from event_at(
            self._backend, *session, first.record.sequence - 1
        )
        if before is None:
            raise InvalidImport(
                first.number,
                f"event {first.record.sequence - 1} of session {session[1]!r} is missing",
            )
        return Chain(before.sequence, before.event_hash, before.recorded_us, head.sequence)

    def _stored(self, session: Session, first: int, last: int) -> Plan[dict[int, bytes]]:
        records: list[Record] = yield self._backend.read(
            SessionQuery(
                bucket=bucket_of(*session, self._backend.info.buckets),
                tenant=session[0],
                session_id=session[1],
                limit=last - first + 1,
                after=first - 1,
                before=last + 1,
                deleted=True,
            )
        )
        return {record.sequence: record.event_hash for record in records}

    def _check_forks(self, new: Sequence[Imported]) -> Plan[None]:
        hashes = {(*session_of(e.record), e.record.sequence): e.record.event_hash for e in new}
        for event in new:
            fork = fork_of(event)
            if fork is None:
                continue
            known = hashes.get((fork.tenant, fork.parent, fork.at))
            if known is None:
                parent = yield from event_at(self._backend, fork.tenant, fork.parent, fork.at)
                known = None if parent is None else parent.event_hash
            if known is None:
                # Clocks of different servers may have put a fork before what it was forked from.
                self._forks.append(fork)
            else:
                check_fork(fork, known)

    def _store(self, new: list[Imported]) -> Plan[None]:
        runs = [list(run) for _, run in groupby(new, lambda event: session_of(event.record))]
        outcomes: Sequence[Outcome] = yield from store_round(
            self._backend.append,
            self._sleep,
            [Unit((self._part(run),)) for run in runs],
            wait=True,
            retry_timeout_s=RETRY_TIMEOUT_S,
            lock_timeout_s=self._backend.lock_timeout_s,
        )
        for run, outcome in zip(runs, outcomes, strict=True):
            check_outcome(run, outcome)

    def _part(self, run: list[Imported]) -> Part:
        first = run[0]
        tenant, session_id = session_of(first.record)
        return Part(
            bucket_of(tenant, session_id, self._backend.info.buckets),
            tenant,
            session_id,
            first.record.sequence - 1,
            first.prev_hash or genesis(tenant, session_id),
            tuple(draft_of(event.record) for event in run),
        )
