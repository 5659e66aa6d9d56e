"""The words of a table's rows, which its databases index. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from .search_words import bounded, marked, member_words, texts_within, words

_NO_MEMBERS = ("[]", "{}")


class RowWords:
    """What rows of one table are found by: their text, their members, whose they are.

    `fields` tells of each searchable field and field of members whether it is JSON.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        fields: dict[str, bool],
        searchable: tuple[str, ...],
        members: tuple[str, ...],
    ) -> None:
        self._texts = [(names.index(name), fields[name]) for name in searchable]
        self._members = [(name, names.index(name)) for name in members]
        self._tenant = names.index("tenant")
        self._session = names.index("session_id") if "session_id" in names else None

    def of(self, row: tuple[Any, ...]) -> tuple[str, ...]:
        """Return a row's words, each once; none if it has neither text nor members."""
        found = bounded(self._found(row))
        if not found:
            return ()
        session = None if self._session is None else row[self._session]
        return (*scope_words(row[self._tenant], session), *found)

    def _found(self, row: tuple[Any, ...]) -> list[str]:
        found: list[str] = []
        # Members first: they are few, and none of them may be cut off by a long text.
        for name, place in self._members:
            if row[place] is not None and row[place] not in _NO_MEMBERS:
                found += member_words(name, msgspec.json.decode(row[place]))
        for place, is_json in self._texts:
            if row[place] is not None:
                texts = texts_within(msgspec.json.decode(row[place])) if is_json else (row[place],)
                for text in texts:
                    found += words(text)
        return found


# A page has rows of few sessions, and the digests took a third of the time of finding their words.
@lru_cache(1_024)
def scope_words(tenant: str, session_id: str | None) -> tuple[str, ...]:
    """Return the words that all rows of a tenant have, or all of one of its sessions."""
    of_tenant = marked("tenant", tenant)
    if session_id is None:
        return (of_tenant,)
    return (of_tenant, marked("session_id", tenant, session_id))
