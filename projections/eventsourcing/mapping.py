"""A mapper whose JSON can be stored as JSON: its keys stand in the ledger's order.

The ledger stores JSON with sorted keys, a recorder has to give every state back byte for byte, and
a transcoder writes keys as they come. So they are put in order before, where order means nothing:
attributes of an event, and the marks of a transcoding. A dict of the application keeps its order;
if that is another one, the state is stored as opaque bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ledger import InvalidEvent
from ledger.codec import decode_json, encode_json

from .api import DomainEventProtocol, Mapper, StoredEvent, TAggregateID

_TRANSCODED = {"_type_", "_data_"}


class LedgerMapper(Mapper[TAggregateID]):
    """The library's mapper, except for the order of keys in states that are plain JSON."""

    def to_stored_event(self, domain_event: DomainEventProtocol[TAggregateID]) -> StoredEvent:
        """Return what is stored of a domain event."""
        stored = super().to_stored_event(domain_event)
        if self.compressor or self.cipher:
            return stored
        return StoredEvent(
            originator_id=stored.originator_id,
            originator_version=stored.originator_version,
            topic=stored.topic,
            state=in_order(stored.state),
        )


def in_order(state: bytes) -> bytes:
    """Return a state as the ledger's JSON if it says the same then, and else as it is."""
    data, stored = _encoded_again(state)
    # The same length, as only places changed: a key that came twice would be missing.
    if data is None or len(stored) != len(state) or not all(map(_is_in_order, data.values())):
        return state
    return stored


def json_of(state: bytes) -> dict[str, Any] | None:
    """Return the JSON object that the ledger stores as exactly these bytes, or None."""
    data, stored = _encoded_again(state)
    return data if stored == state else None


def _encoded_again(state: bytes) -> tuple[dict[str, Any] | None, bytes]:
    if not state.startswith(b"{"):
        return None, b""
    try:
        data: dict[str, Any] = decode_json(state)
        return data, encode_json(data, "state")
    except (msgspec.DecodeError, ValueError, RecursionError, InvalidEvent):
        return None, b""  # no JSON, or none that the ledger takes: NUL, 65 bits, 65 levels


def _is_in_order(value: Any) -> bool:
    if isinstance(value, dict):
        keys = list(value)
        if keys != sorted(keys) and set(keys) != _TRANSCODED:
            return False
        return all(map(_is_in_order, value.values()))
    if isinstance(value, list):
        return all(map(_is_in_order, value))
    # Spelled differently by either side, so that lengths would say nothing.
    return not (isinstance(value, float) and "e" in repr(value))
