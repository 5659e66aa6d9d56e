"""Under which ids a user's sessions and answers are kept. Pure.

In cognee the same session id under two users is two sessions. A session without a user is kept
under its own id, where every other store finds it; a user's under the id that `ledger_session_id`
tells, which names the user too.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from ledger import InvalidArgument, InvalidEvent
from ledger.arguments import flag
from ledger.codec import check_text
from ledger.limits import ID_BYTES_MAX, SESSION_ID_BYTES_MAX
from ledger.refusals import shown

from ...folds.sessions import Session
from ..uuid_texts import hyphenated, is_uuid

#: An id: text, or a UUID, which is the same as either form of its text.
Key = str | UUID

#: In front of the ids of sessions that have a user.
OWNED = "cognee:"
# No escaped user holds it: "%" is followed by two digits there.
_LONG = "cognee:%#"
#: Where the names stand of a session whose id is too long to hold them.
NAMES = "cognee"
#: So many ids stand in one fact at most.
IDS_MAX = 1_000


class Place(msgspec.Struct, frozen=True):
    """Whose session, by which name, and the id under which the ledger has it."""

    session_id: str
    user_id: str | None
    ledger_id: str

    @property
    def is_long(self) -> bool:
        """Whether the names do not follow from the ledger's id."""
        return self.ledger_id.startswith(_LONG)


def canonical(value: object, name: str, bytes_max: int = ID_BYTES_MAX) -> str:
    """Return an id as text; a UUID, in whatever form, with hyphens and in small letters."""
    if isinstance(value, UUID):
        return str(value)
    try:
        text = check_text(value, name, bytes_max)
    except InvalidEvent as error:
        raise InvalidArgument(name, error.reason) from error
    return hyphenated(text)


def owned_prefix(user: str) -> str:
    """Return what the ids of a user's sessions begin with, but for those that got too long."""
    escaped = user.replace("%", "%25").replace(":", "%3A")
    return f"{OWNED}{escaped}:"


def place_of(session_id: Key, user_id: Key | None) -> Place:
    """Return the place of a user's session; no user is one owner of its own."""
    session = canonical(session_id, "session_id", SESSION_ID_BYTES_MAX)
    user = None if user_id is None else canonical(user_id, "user_id")
    if user is None and not session.startswith(OWNED):
        return Place(session, None, session)
    full = owned_prefix(user or "") + session
    if len(full.encode()) > SESSION_ID_BYTES_MAX:
        digest = sha256(f"{len(user or '')}:{user or ''}:{session}".encode())
        full = f"{_LONG}{digest.hexdigest()}"
    return Place(session, user, full)


def owner_of(user_id: Key | None, *, everyone: bool) -> str | None:
    """Return whose sessions are asked for, checked; None if they are nobody's or everyone's."""
    if flag(everyone, "everyone") and user_id is not None:
        raise InvalidArgument("user_id", "expected none together with `everyone`")
    return None if user_id is None else canonical(user_id, "user_id")


def ledger_session_id(session_id: Key, user_id: Key | None = None) -> str:
    """Return the id under which the ledger, its views and other stores have a user's session.

    Where session and user together are longer than a session's id may be, it is a digest of them,
    and what they are is in the session's metadata once it is begun by this store.
    """
    return place_of(session_id, user_id).ledger_id


def place_of_row(row: Session) -> Place:
    """Return whose session a row is and by which name, whoever wrote it."""
    place = place_of_id(row.session_id)
    if place is not None:
        return place
    names: Any = row.metadata.get(NAMES)
    if not isinstance(
        names, dict
    ):  # nobody said whose it is, or somebody said something else since
        return Place(row.session_id, row.owner_id, row.session_id)
    return Place(names.get("session_id", row.session_id), names.get("user_id"), row.session_id)


def place_of_id(kept: str) -> Place | None:
    """Return whose session the ledger has under an id; None if the id alone does not tell."""
    if kept.startswith(_LONG):
        return None
    if kept.startswith(OWNED):
        escaped, colon, session = kept.removeprefix(OWNED).partition(":")
        if colon:
            user = escaped.replace("%3A", ":").replace("%25", "%")
            return Place(session, user or None, kept)
    return Place(kept, None, kept)


def default_session_id(dataset_id: Key | None = None) -> str:
    """Return cognee's name for the session of whoever names none, of a dataset if given.

    All who use it share one session per user, so no call here falls back on it by itself.
    """
    if dataset_id is None:
        return "default_session"
    return f"default_session_{dataset_uuid(dataset_id)}"


def dataset_uuid(dataset_id: Key) -> str:
    """Return a dataset's id, which must be a UUID."""
    text = canonical(dataset_id, "dataset_id")
    if not is_uuid(text):
        raise InvalidArgument("dataset_id", f"expected a UUID, got {shown(text)}")
    return text
