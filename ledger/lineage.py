"""What a stored `session.forked` says; whoever can write to the database can make it say anything."""

from __future__ import annotations

from typing import Any

from .codec import UNREADABLE_JSON, decode_json
from .limits import SEQUENCE_MAX


def fork_place(payload: bytes) -> tuple[str, int] | None:
    """Return the parent and the sequence in the payload of `session.forked`; None if it has none.

    What is returned can be asked of every backend: text without NUL or lone surrogates, and a
    number whose neighbours fit into 64 bits too.
    """
    try:
        fork: Any = decode_json(payload)
    except UNREADABLE_JSON:
        return None
    if type(fork) is not dict:
        return None
    parent, at = fork.get("parent"), fork.get("at")
    if type(parent) is not str or "\0" in parent:
        return None
    if type(at) is not int or not 1 <= at < SEQUENCE_MAX:
        return None
    return parent, at
