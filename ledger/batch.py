"""From what a caller appends to what a backend stores: validation and digests, no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from .codec import check_text, encode_json
from .digests import body_digest, bucket_of, genesis, meta_digest, new_salt, payload_digest
from .errors import EventIdReused, InvalidArgument, InvalidEvent
from .events import Append, Appended, NewEvent
from .limits import (
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    MICROSECONDS_MAX,
    SEQUENCE_MAX,
    SESSION_ID_BYTES_MAX,
    TENANT_BYTES_MAX,
    Limits,
)
from .moments import is_aware, to_microseconds
from .payloads import payload_of, refuse_reserved
from .records import Draft, Numbered, Part, Unit, event_of_draft, same_content
from .refusals import shown, shown_time
from .upcasts import Upcasts

if TYPE_CHECKING:
    from .catalogue import Catalogue

_OPTIONAL_IDS = ("actor", "causation_id", "correlation_id", "trace_id", "span_id")
# Most events carry none of them, and then their digest is always the same.
_plain_meta_digest = meta_digest(None, None, None, None, None, "{}")


# The place of an event that is appended alone.
_ALONE = (((0, 0),),)

#: How a caller finds an event again, by the number of its Append, and its own in there.
Place = Callable[[int, int | None], str]


def alone(append: int, event: int | None) -> str:
    """Return the place of the only event."""
    return ""


def in_list(append: int, event: int | None) -> str:
    """Return the place of one of the events of `append`."""
    return "" if event is None else f"events[{event}]"


def in_appends(append: int, event: int | None) -> str:
    """Return the place of one of the Appends of `append_many`, or of an event there."""
    return f"appends[{append}]" + ("" if event is None else f".events[{event}]")


def utc_now() -> datetime:
    """Return this process's clock."""
    return datetime.now(UTC)


def now_us() -> int:
    """The same in whole microseconds since 1970."""
    return time.time_ns() // 1_000


class Batch(msgspec.Struct, frozen=True):
    """A unit and the way back: per caller's event, its part and its draft in the unit."""

    unit: Unit
    places: tuple[tuple[tuple[int, int], ...], ...]

    def answer(self, numbers: Sequence[Numbered], upcasts: Upcasts) -> list[list[Appended]]:
        """Return the caller's answer: one list per Append, one entry per event, in order."""
        if self.places is _ALONE:
            [part], [number] = self.unit.parts, numbers
            return [[_appended(part, part.drafts[0], number, upcasts)]]
        following = iter(numbers)
        found = [
            [
                _appended(part, draft, number, upcasts)
                for draft, number in zip(part.drafts, following, strict=False)
            ]
            for part in self.unit.parts
        ]
        answers = [[found[p][d] for p, d in places] for places in self.places]
        if sum(map(len, answers)) > len(numbers):
            self._mark_repeats(answers)
        return answers

    def _mark_repeats(self, answers: list[list[Appended]]) -> None:
        """An event that a batch holds twice is stored by the first one alone."""
        seen: set[tuple[int, int]] = set()
        for places, answer in zip(self.places, answers, strict=True):
            for index, place in enumerate(places):
                if place in seen:
                    answer[index] = msgspec.structs.replace(answer[index], stored=False)
                seen.add(place)


def _appended(part: Part, draft: Draft, number: Numbered, upcasts: Upcasts) -> Appended:
    event = partial(event_of_draft, part, draft, number, upcasts)
    return Appended(number.sequence, number.stored, event)


class _Gathered:
    """One session's share of a batch so far; an id that comes again has the draft it had."""

    __slots__ = ("drafts", "expected", "incarnation", "number", "places")

    def __init__(self, number: int, expected: int | None, incarnation: int | None) -> None:
        self.number = number
        self.expected = expected
        self.incarnation = incarnation
        self.drafts: list[Draft] = []
        self.places: dict[str, int] = {}

    def add(self, key: tuple[str, str], draft: Draft) -> tuple[int, int]:
        """Return the place of the draft: its session's, and its own in there."""
        place = self.places.setdefault(draft.event_id, len(self.drafts))
        if place == len(self.drafts):
            self.drafts.append(draft)
        elif not same_content(self.drafts[place], draft):
            raise EventIdReused(*key, draft.event_id)
        return self.number, place


class Door:
    """Turns appends into units for one ledger; everything refused is refused here."""

    def __init__(
        self,
        buckets: int,
        limits: Limits,
        catalogue: Catalogue | None = None,
        now_us: Callable[[], int] = now_us,
    ) -> None:
        self._buckets = buckets
        self._limits = limits
        self._catalogue = catalogue
        self._now_us = now_us

    def batch(self, appends: Sequence[Append], place: Place = alone) -> Batch:
        """Return the unit of some sessions' events; raise InvalidEvent or InvalidArgument."""
        if len(appends) == 1 and len(appends[0].events) == 1:
            return self._alone(appends[0], place)
        sessions: dict[tuple[str, str], _Gathered] = {}
        places: list[tuple[tuple[int, int], ...]] = []
        for append in appends:
            drafted: list[tuple[int, int]] | None = None
            try:
                key = self.session_key(append.tenant, append.session_id)
                gathered = sessions.get(key)
                if gathered is None:
                    gathered = sessions[key] = _Gathered(
                        len(sessions),
                        _condition(append.expected, "expected"),
                        _condition(append.incarnation, "incarnation"),
                    )
                else:
                    _refuse_conditions(append)
                drafted = []
                for event in append.events:
                    drafted.append(gathered.add(key, self._draft_of(key, event)))
            except InvalidEvent as error:
                at = place(len(places), None if drafted is None else len(drafted))
                raise _placed(error, at) from error.__cause__
            places.append(tuple(drafted))
        parts = tuple(
            [
                self._part(key, one.expected, one.incarnation, tuple(one.drafts))
                for key, one in sessions.items()
            ]
        )
        self._check_size(parts)
        return Batch(Unit(parts), tuple(places))

    def _alone(self, append: Append, place: Place) -> Batch:
        """Return the unit of one event, as most are; to gather it would cost the door a fifth more."""
        event: int | None = None
        try:
            key = self.session_key(append.tenant, append.session_id)
            expected = _condition(append.expected, "expected")
            incarnation = _condition(append.incarnation, "incarnation")
            event = 0
            draft = self._draft_of(key, append.events[event])
        except InvalidEvent as error:
            raise _placed(error, place(0, event)) from error.__cause__
        part = self._part(key, expected, incarnation, (draft,))
        self._check_size((part,))
        return Batch(Unit((part,)), _ALONE)

    @property
    def limits(self) -> Limits:
        """The bounds the ledger was opened with."""
        return self._limits

    @property
    def catalogue(self) -> Catalogue:
        """The payload models; the built-in ones are loaded when the first event needs them."""
        if self._catalogue is None:
            from .catalogue import default_catalogue

            self._catalogue = default_catalogue()
        return self._catalogue

    def tenant_key(self, tenant: object) -> str:
        """Return a checked tenant; "" is one like any other."""
        return check_text(tenant, "tenant", TENANT_BYTES_MAX, empty=True)

    def session_key(self, tenant: object, session_id: object) -> tuple[str, str]:
        """Return a session's checked identity."""
        return self.tenant_key(tenant), check_text(session_id, "session_id", SESSION_ID_BYTES_MAX)

    def bucket(self, tenant: str, session_id: str) -> int:
        """Return the bucket of a session of this ledger."""
        return bucket_of(tenant, session_id, self._buckets)

    def draft(
        self, tenant: str, session_id: str, new: NewEvent, *, reserved: bool = False
    ) -> Draft:
        """Return the draft of one event; `reserved` admits the types only the ledger writes."""
        payload = payload_of(new, self.catalogue, self._limits.payload_bytes_max)
        if not reserved:
            refuse_reserved(payload.type)
        event_id = check_text(new.event_id, "event_id", ID_BYTES_MAX)
        run_id = new.run_id
        if run_id is not None:
            check_text(run_id, "run_id", ID_BYTES_MAX)
        optional = (new.actor, new.causation_id, new.correlation_id, new.trace_id, new.span_id)
        # By identity: comparing would call whatever a stranger's object has for it.
        plain = optional[0] is optional[1] is optional[2] is optional[3] is optional[4] is None
        if not plain:
            for field, value in zip(_OPTIONAL_IDS, optional, strict=True):
                if value is not None:
                    check_text(value, field, ID_BYTES_MAX)
        metadata = _metadata(new)
        occurred_us = self._occurred(new.occurred_at)
        salt = new_salt()
        digest = payload_digest(salt, payload.stored)
        body = body_digest(
            tenant,
            session_id,
            event_id,
            occurred_us,
            payload.type,
            payload.schema_version,
            run_id,
            payload.content_type,
            _plain_meta_digest if plain and metadata == "{}" else meta_digest(*optional, metadata),
            digest,
        )
        return Draft(
            event_id,
            payload.type,
            payload.schema_version,
            run_id,
            occurred_us,
            new.occurred_at is not None,
            *optional,
            metadata,
            payload.content_type,
            payload.stored,
            salt,
            digest,
            body,
        )

    def _part(
        self,
        key: tuple[str, str],
        expected: int | None,
        incarnation: int | None,
        drafts: tuple[Draft, ...],
    ) -> Part:
        bucket = bucket_of(*key, self._buckets)
        return Part(bucket, *key, expected, genesis(*key), drafts, incarnation)

    def _draft_of(self, key: tuple[str, str], event: object) -> Draft:
        new = event if isinstance(event, NewEvent) else NewEvent(event)  # type: ignore[arg-type]  # payload_of checks it
        return self.draft(*key, new)

    def _occurred(self, moment: object) -> int:
        if moment is None:
            return self._now_us()
        if not isinstance(moment, datetime) or not is_aware(moment):
            raise InvalidEvent("occurred_at", f"expected a datetime, got {shown_time(moment)}")
        occurred_us = to_microseconds(moment)
        if occurred_us < 0:
            raise InvalidEvent("occurred_at", "before 1970")
        if occurred_us > MICROSECONDS_MAX:
            raise InvalidEvent("occurred_at", "after the year 9999 in UTC")
        return occurred_us

    def _check_size(self, parts: Sequence[Part]) -> None:
        count = size = 0
        for part in parts:
            if not part.drafts:
                count = 0
                break
            count += len(part.drafts)
            for draft in part.drafts:
                size += len(draft.payload)
        if not count:
            raise InvalidArgument("events", "nothing to append")
        if count > self._limits.batch_events_max:
            raise InvalidArgument(
                "events", f"{count} events, at most {self._limits.batch_events_max} at once"
            )
        if size > self._limits.batch_bytes_max:
            raise InvalidArgument(
                "events", f"{size} bytes, at most {self._limits.batch_bytes_max} at once"
            )


def _condition(value: object, name: str) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= SEQUENCE_MAX):
        raise InvalidArgument(name, f"a sequence from 0 or None, not {shown(value)}")
    return value


def _refuse_conditions(append: Append) -> None:
    for name in ("expected", "incarnation"):
        if getattr(append, name) is not None:
            raise InvalidArgument(name, "only a session's first append may carry it")


def _placed(error: InvalidEvent, place: str) -> InvalidEvent:
    return InvalidEvent(error.field, error.reason, place) if place else error


def _metadata(new: NewEvent) -> str:
    if new.metadata is None or (type(new.metadata) is dict and not new.metadata):
        return "{}"
    stored = encode_json(new.metadata, "metadata")
    if len(stored) > METADATA_BYTES_MAX:
        raise InvalidEvent(
            "metadata", f"{len(stored)} bytes, at most {METADATA_BYTES_MAX} are accepted"
        )
    return stored.decode()
