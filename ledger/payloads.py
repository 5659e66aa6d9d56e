"""Payloads at the door: a model, a mapping or bytes become a type, a version and stored bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set, ValuesView
from typing import TYPE_CHECKING, Any

import msgspec

from .codec import check_text, encode_json, parse_json_object
from .errors import InvalidArgument, InvalidEvent
from .events import JSON_CONTENT_TYPE, SESSION_FORKED, NewEvent
from .limits import CONTENT_TYPE_BYTES_MAX, SCHEMA_VERSION_MAX, TYPE_BYTES_MAX
from .refusals import shown

if TYPE_CHECKING:
    from .catalogue import Catalogue


class Payload(msgspec.Struct, frozen=True):
    """A payload as it will be stored."""

    type: str
    schema_version: int
    content_type: str
    stored: bytes


def payload_of(event: NewEvent, catalogue: Catalogue, bytes_max: int) -> Payload:
    """Return the stored form of an event's payload; raise InvalidEvent naming the field."""
    # dict is named because asking an abstract class costs more than everything around it
    if isinstance(event.payload, bytes):
        payload = _opaque(event, bytes(event.payload), catalogue)
    elif isinstance(event.payload, (dict, Mapping)):
        payload = _mapping(event, event.payload, catalogue)
    elif hasattr(type(event.payload), "model_dump"):
        payload = _model(event, event.payload, catalogue)
    else:
        raise InvalidEvent("payload", _no_payload(event))
    if len(payload.stored) > bytes_max:
        raise InvalidEvent(
            "payload", f"{len(payload.stored)} bytes, at most {bytes_max} are accepted"
        )
    return payload


def check_stored(
    type_name: str, version: int, content_type: str, stored: bytes, catalogue: Catalogue
) -> None:
    """Raise InvalidEvent unless the door would accept what another ledger stored.

    As at the door, a version above the newest known is refused: readers here would take it for a
    shape that they know, and what is in the log cannot be taken back. Types that nobody registered
    are accepted untouched, in any version, and so is, when it is read, whatever a newer program
    has stored in this ledger itself.
    """
    known = catalogue.model_of(type_name)
    if known is None:
        return
    model, newest = known
    _refuse_newer(type_name, version, newest)
    if version == newest and content_type == JSON_CONTENT_TYPE:
        catalogue.check(model, stored)


def _no_payload(event: NewEvent) -> str:
    """Return what is wrong about a payload of another kind, and what to write instead."""
    given: object = event.payload
    if isinstance(given, type):
        return f"got the class {given.__name__}; append an instance of it"
    if isinstance(given, str) and not isinstance(event.type, str | None):
        return "got text; the payload comes first, then the type: NewEvent(payload, 'my.type')"
    expected = f"expected a model, a mapping or bytes, got {type(given).__name__}"
    if isinstance(given, Iterator | Set | ValuesView):
        return f"{expected}; to append several events pass a list"
    return expected


def _opaque(event: NewEvent, data: bytes, catalogue: Catalogue) -> Payload:
    if event.content_type is None:
        raise InvalidEvent("content_type", "bytes need one")
    content_type = check_text(event.content_type, "content_type", CONTENT_TYPE_BYTES_MAX)
    if content_type == JSON_CONTENT_TYPE:
        return _mapping(event, parse_json_object(data, "payload"), catalogue)
    type_name, version = _type(event.type), _version(event.schema_version, 1)
    known = catalogue.model_of(type_name)
    if known is not None:
        _refuse_newer(type_name, version, known[1])
    return Payload(type_name, version, content_type, data)


def _mapping(event: NewEvent, data: Mapping[str, Any], catalogue: Catalogue) -> Payload:
    type_name = _type(event.type)
    _refuse_content_type(event, "a mapping")
    known = catalogue.model_of(type_name)
    if known is None:
        version = _version(event.schema_version, 1)
    else:
        model, newest = known
        version = _version(event.schema_version, newest)
        _refuse_newer(type_name, version, newest)
        if version == newest:
            stored = catalogue.encode_mapping(model, data)
            return Payload(type_name, version, JSON_CONTENT_TYPE, stored)
        # Payloads of older versions are taken as they are: their upcaster knows them.
    return Payload(type_name, version, JSON_CONTENT_TYPE, encode_json(data, "payload"))


def _model(event: NewEvent, payload: Any, catalogue: Catalogue) -> Payload:
    try:
        type_name, version = catalogue.describe(payload)
    except InvalidArgument as error:
        raise InvalidEvent("payload", error.reason) from error
    if event.type is not None and _type(event.type) != type_name:
        raise InvalidEvent("type", f"{type(payload).__name__} is a {type_name}")
    if _version(event.schema_version, version) != version:
        raise InvalidEvent("schema_version", f"{type(payload).__name__} is version {version}")
    _refuse_content_type(event, "a model")
    _type(type_name)
    return Payload(type_name, version, JSON_CONTENT_TYPE, catalogue.encode(payload))


def _refuse_newer(type_name: str, version: int, newest: int) -> None:
    if version > newest:
        raise InvalidEvent(
            "schema_version", f"{type_name} is known up to version {newest}, got {version}"
        )


def _refuse_content_type(event: NewEvent, kind: str) -> None:
    given = event.content_type
    if given is not None and not (type(given) is str and given == JSON_CONTENT_TYPE):
        raise InvalidEvent("content_type", f"{kind} is stored as {JSON_CONTENT_TYPE}")


def _type(value: object) -> str:
    if value is None:
        raise InvalidEvent(
            "type", "a payload that is no model needs one: NewEvent(payload, 'my.type')"
        )
    name = check_text(value, "type", TYPE_BYTES_MAX)
    if not name.isprintable():
        raise InvalidEvent("type", "control characters are not allowed")
    return name


def _version(value: object, default: int) -> int:
    if value is None:
        return default
    if type(value) is not int or not 1 <= value <= SCHEMA_VERSION_MAX:
        raise InvalidEvent(
            "schema_version", f"expected 1 to {SCHEMA_VERSION_MAX}, got {shown(value)}"
        )
    return value


def refuse_reserved(type_name: str) -> None:
    """Raise InvalidEvent for a type whose events only the ledger itself may write."""
    if type_name == SESSION_FORKED:
        raise InvalidEvent("type", f"{SESSION_FORKED} is written by fork() alone")
