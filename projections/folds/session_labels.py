"""What a session is called when nobody named it: after what was asked, said or done first.

A label goes with what it is from. What is left of a session is not known here, so the next label is
from the next question, message or function; once a question or a function was the label and is
gone, `label_source_id` is None, for there may be an earlier one than that; so it is, too, where a
label is gone that stood before them. Such a label goes with any fact that takes away something of
its kind, for it may have been that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from ledger.events import Event

from .changes import Changes

LABEL_CHARS_MAX = 120

# A label from further left wins; within one kind the first.
_SOURCES = ("given", "question", "message", "function")
#: The sources whose labels stand before one of a source. Nearly every fact asks.
_STANDING = {source: frozenset(_SOURCES[: place + 1]) for place, source in enumerate(_SOURCES)}
UNLABELLED = {"label": None, "label_source": None, "label_source_id": None}
#: By which lists of a redaction a source goes; a turn's message is named as a span.
_LISTS = {
    "question": ("qa_ids",),
    "message": ("message_ids", "span_ids"),
    "function": ("span_ids",),
}


class Labelled(Protocol):
    """What is known of the session."""

    @property
    def label(self) -> str | None: ...
    @property
    def label_source(self) -> str | None: ...
    @property
    def label_source_id(self) -> str | None: ...
    @property
    def qa_count(self) -> int: ...
    @property
    def trace_count(self) -> int: ...


def label_from(session: Labelled, source: str, text: object, source_id: str) -> Changes:
    """Return the changes if `text` from this source goes before the source of the label so far."""
    if session.label_source in _STANDING[source] and session.label is not None:
        return {}
    label = cut(text)
    if label is None:
        return {}
    is_first = source == "given" or not is_uncertain(session)
    own_id = source_id if is_first else None
    return {"label": label, "label_source": source, "label_source_id": own_id}


def is_uncertain(session: Labelled) -> bool:
    """Whether there may be an earlier question or function than the one that is the label."""
    return session.label_source is not None and session.label_source_id is None


def cut(text: object) -> str | None:
    """Return a text as a label, None if it says nothing."""
    return text.strip()[:LABEL_CHARS_MAX] or None if isinstance(text, str) else None


def relabelled(session: Labelled, data: dict[str, Any], event_id: str) -> Changes:
    """Return the changes of a fact that gives a label or takes the given one back, if it does."""
    if data.get("label"):
        label = data["label"][:LABEL_CHARS_MAX]
        return {"label": label, "label_source": "given", "label_source_id": event_id}
    return _unlabelled(session) if "label" in data and session.label_source == "given" else {}


def _without_answer(session: Labelled, event: Event, data: Changes) -> Changes:
    """Return the changes of a deleted answer."""
    return _without(session, "question", (data.get("qa_id"),))


def _without_message(session: Labelled, event: Event, data: Changes) -> Changes:
    """Return the changes of a deleted message."""
    return _without(session, "message", (data.get("message_id"),))


def _asked_otherwise(session: Labelled, event: Event, data: Changes) -> Changes:
    """Return the changes of an amended answer; one that had no question may have one now."""
    if "question" not in data:
        return {}
    gone = _without_answer(session, event, data)
    if not gone:
        own_id = data.get("qa_id") or event.event_id
        return label_from(session, "question", data["question"], own_id)
    label = cut(data["question"])
    return gone if label is None else {"label": label}


def _said_otherwise(session: Labelled, event: Event, data: Changes) -> Changes:
    """Return the changes of an amended message."""
    gone = _without_message(session, event, data) if "content" in data else {}
    label = cut(data.get("content"))
    return gone if not gone or label is None else {"label": label}


def _redacted(session: Labelled, event: Event, data: Changes) -> Changes:
    """Return the changes of a redaction."""
    source = session.label_source or ""
    return _without(
        session,
        source,
        [one for name in _LISTS.get(source, ()) for one in data.get(name, ())],
    )


def _without(session: Labelled, source: str, ids: Collection[object]) -> Changes:
    """Return the changes if some of a source are gone, nothing if the label is from none of them."""
    own_id = session.label_source_id
    if session.label_source != source or not ids or (own_id is not None and own_id not in ids):
        return {}
    if source == "message" and own_id is not None:
        return _unlabelled(session)
    return {"label": None, "label_source_id": None}


def _unlabelled(session: Labelled) -> Changes:
    """Return the changes if a label goes that stood before questions or functions."""
    if session.qa_count > 0:
        return UNLABELLED | {"label_source": "question"}
    if session.trace_count > 0:
        return UNLABELLED | {"label_source": "function"}
    return dict(UNLABELLED)


#: The facts that take away or change what a label may be from.
UNNAMING: dict[str, Callable[[Labelled, Event, Changes], Changes]] = {
    "qa.amended": _asked_otherwise,
    "qa.deleted": _without_answer,
    "message.amended": _said_otherwise,
    "message.deleted": _without_message,
    "content.redacted": _redacted,
}
