"""From what a caller appends to what a backend stores: validation and digests, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from .codec import check_text, encode_json
from .digests import body_digest, bucket_of, genesis, meta_digest, new_salt, payload_digest
from .errors import EventIdReused, InvalidArgument, InvalidEvent
from .events import Append, Appended, NewEvent, to_microseconds
from .limits import (
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    SEQUENCE_MAX,
    SESSION_ID_BYTES_MAX,
    TENANT_BYTES_MAX,
    Limits,
)
from .payloads import payload_of, refuse_reserved
from .records import Draft, Numbered, Part, Unit, event_of_draft, same_content
from .upcasts import Upcasts

if TYPE_CHECKING:
    from .catalogue import Catalogue

OCCURRED_MIN = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Return this process's clock."""
    return datetime.now(UTC)


class Batch(msgspec.Struct, frozen=True):
    """A unit and the way back: per caller's event, its part and its draft in the unit."""

    unit: Unit
    places: tuple[tuple[tuple[int, int], ...], ...]

    def answer(self, numbers: Sequence[Numbered], upcasts: Upcasts) -> list[list[Appended]]:
        """Return the caller's answer: one list per Append, one entry per event, in order."""
        found: dict[tuple[int, int], Appended] = {}
        flat = iter(numbers)
        for p, part in enumerate(self.unit.parts):
            for d, draft in enumerate(part.drafts):
                number = next(flat)
                event = event_of_draft(part, draft, number, upcasts)
                found[p, d] = Appended(event, number.stored)
        return [[found[place] for place in places] for places in self.places]


class Door:
    """Turns appends into units for one ledger; everything refused is refused here."""

    def __init__(
        self,
        buckets: int,
        limits: Limits,
        catalogue: Catalogue | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._buckets = buckets
        self._limits = limits
        self._catalogue = catalogue
        self._now = now

    def batch(self, appends: Sequence[Append]) -> Batch:
        """Return the unit of some sessions' events; raise InvalidEvent or InvalidArgument."""
        drafts: dict[tuple[str, str], dict[str, tuple[int, Draft]]] = {}
        expected: dict[tuple[str, str], int | None] = {}
        places = []
        order: dict[tuple[str, str], int] = {}
        for append in appends:
            key = self.session_key(append.tenant, append.session_id)
            if key in expected and append.expected is not None:
                raise InvalidArgument("expected", "only a session's first append may carry it")
            expected.setdefault(key, _expected(append.expected))
            part = order.setdefault(key, len(order))
            places.append(tuple((part, self._add(key, new, drafts)) for new in append.events))
        parts = tuple(
            Part(
                bucket_of(*key, self._buckets),
                *key,
                expected[key],
                genesis(*key),
                tuple(draft for _, draft in drafts.get(key, {}).values()),
            )
            for key in order
        )
        unit = Unit(parts)
        self._check_size(unit)
        return Batch(unit, tuple(places))

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
        run_id = _optional_id(new.run_id, "run_id")
        optional = (
            _optional_id(new.actor, "actor"),
            _optional_id(new.causation_id, "causation_id"),
            _optional_id(new.correlation_id, "correlation_id"),
            _optional_id(new.trace_id, "trace_id"),
            _optional_id(new.span_id, "span_id"),
        )
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
            meta_digest(*optional, metadata),
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

    def _add(
        self,
        key: tuple[str, str],
        payload: object,
        drafts: dict[tuple[str, str], dict[str, tuple[int, Draft]]],
    ) -> int:
        new = payload if isinstance(payload, NewEvent) else NewEvent(payload)  # type: ignore[arg-type]  # payload_of checks it
        draft = self.draft(*key, new)
        by_id = drafts.setdefault(key, {})
        if draft.event_id not in by_id:
            by_id[draft.event_id] = (len(by_id), draft)
        elif not same_content(by_id[draft.event_id][1], draft):
            raise EventIdReused(*key, draft.event_id)
        return by_id[draft.event_id][0]

    def _occurred(self, moment: datetime | None) -> int:
        if moment is None:
            return to_microseconds(self._now())
        if not isinstance(moment, datetime):
            raise InvalidEvent("occurred_at", f"expected a datetime, got {type(moment).__name__}")
        if moment.utcoffset() is None:
            raise InvalidEvent("occurred_at", "naive datetime; give it a time zone")
        if moment < OCCURRED_MIN:
            raise InvalidEvent("occurred_at", "before 1970")
        return to_microseconds(moment)

    def _check_size(self, unit: Unit) -> None:
        drafts = [draft for part in unit.parts for draft in part.drafts]
        if any(not part.drafts for part in unit.parts) or not drafts:
            raise InvalidArgument("events", "nothing to append")
        if len(drafts) > self._limits.batch_events_max:
            raise InvalidArgument(
                "events", f"{len(drafts)} events, at most {self._limits.batch_events_max} at once"
            )
        size = sum(len(draft.payload) for draft in drafts)
        if size > self._limits.batch_bytes_max:
            raise InvalidArgument(
                "events", f"{size} bytes, at most {self._limits.batch_bytes_max} at once"
            )


def _expected(value: object) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= SEQUENCE_MAX):
        raise InvalidArgument("expected", f"a sequence from 0 or None, not {value!r}")
    return value


def _optional_id(value: object, field: str) -> str | None:
    return None if value is None else check_text(value, field, ID_BYTES_MAX)


def _metadata(new: NewEvent) -> str:
    if not new.metadata and new.metadata in (None, {}):
        return "{}"
    stored = encode_json(new.metadata, "metadata")
    if len(stored) > METADATA_BYTES_MAX:
        raise InvalidEvent(
            "metadata", f"{len(stored)} bytes, at most {METADATA_BYTES_MAX} are accepted"
        )
    return stored.decode()
