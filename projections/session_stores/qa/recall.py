"""Finding what was said before: by keywords within a session, by full text across them. Plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ledger import InvalidArgument
from ledger.arguments import natural
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.qa import QAEntry
from ...folds.sessions import Session
from ...readers.arguments import text as checked_text
from ...readers.listing_cursors import ViewPage
from ...readers.search import SearchHit
from ...readers.search_words import texts_within, words
from . import entries, guidance, steps
from .core import QACore
from .filtered_pages import fitting
from .guidance import SessionContextEntry
from .ids import Key, Place, owner_of, place_of_id, place_of_row
from .records import SessionQAEntry, SessionTraceStep, checked_last, entry_of, several

#: What can be asked within a session, by cognee's names.
SCOPES = ("session", "trace", "session_context")
#: Words with fewer letters say too little, unless their script has no longer ones.
WORD_CHARS_MIN = 3
HISTORY_PAIRS = 10
MATCHES_MAX = 10
ASKED_WORDS_MAX = 64
#: So many of the newest answers that have a word are looked at.
CANDIDATES_MAX = 200


class Recalled(msgspec.Struct, frozen=True):
    """Something that was found: by which scope, by how many of the words asked for."""

    source: str
    matched: int
    item: Any


def keywords(text: str, name: str = "text") -> frozenset[str]:
    """Return the words by which a text is looked for. Pure."""
    found = words(checked_text(text, name, empty=True))
    return frozenset(word for word in found if len(word) >= WORD_CHARS_MIN or not word.isascii())


def ranked(asked: frozenset[str], source: str, items: Iterable[Any]) -> list[Recalled]:
    """Return the items that have a word, by how many they have; of equals the last first. Pure."""
    counted = [(len(asked & _words(item)), item) for item in items]
    hits = [Recalled(source, count, item) for count, item in reversed(counted) if count]
    return sorted(hits, key=lambda hit: -hit.matched)


def _words(item: Any) -> frozenset[str]:
    if isinstance(item, SessionQAEntry):
        said: Any = [item.question, item.answer, item.context]
    elif isinstance(item, SessionTraceStep):
        said = [item.origin_function, item.memory_query, item.memory_context, item.error_message]
        said += [item.session_feedback, item.method_params, item.method_return_value]
    else:
        said = [item.content, item.section]
    return frozenset(word for text in texts_within(said) for word in words(text))


def recall(
    core: QACore, place: Place, text: str, scopes: Sequence[str], limit: int
) -> Plan[list[Recalled]]:
    """Return what has a word of the text in a session, the most words first."""
    count = natural(limit, "limit")
    wanted = several(scopes, "scopes")
    unknown = [one for one in wanted if one not in SCOPES]
    if unknown:
        reason = f"expected some of {', '.join(SCOPES)}, got {shown(unknown[0])}"
        raise InvalidArgument("scopes", reason)
    asked = keywords(text)
    hits: list[Recalled] = []
    if not asked:
        return hits
    if "session" in wanted:
        answers = yield from entries.entries(core, place, None)
        hits += ranked(asked, "session", answers)
    if "trace" in wanted:
        traces = yield from steps.steps(core, place, None)
        hits += ranked(asked, "trace", traces)
    if "session_context" in wanted:
        guides = yield from guidance.entries(core, place)
        put = [one for one in guides if isinstance(one, SessionContextEntry)]
        hits += ranked(asked, "session_context", put)
    hits.sort(key=lambda hit: -hit.matched)
    return hits[:count]


def recall_across(
    core: QACore, text: str, user_id: Key | None, *, everyone: bool, limit: int
) -> Plan[list[Recalled]]:
    """Return the answers that have a word of the text in one owner's sessions, the most first."""
    count = natural(limit, "limit")
    asked = keywords(text)
    owner_of(user_id, everyone=everyone)  # also where there is no word to search for
    if len(asked) > ASKED_WORDS_MAX:
        raise InvalidArgument("text", f"expected at most {ASKED_WORDS_MAX} words")
    found: dict[tuple[str, str | None, str], SessionQAEntry] = {}
    for word in sorted(asked):
        page = yield from search(
            core, word, None, user_id, everyone=everyone, limit=CANDIDATES_MAX, cursor=None
        )
        found |= {(one.session_id, one.user_id, one.qa_id): one for one in page.items}
    by_time = sorted(found.values(), key=lambda one: (one.created_at, one.session_id, one.sequence))
    return ranked(asked, "session", by_time)[:count]


def search(
    core: QACore,
    text: str,
    session_id: Key | None,
    user_id: Key | None,
    *,
    everyone: bool,
    limit: int,
    cursor: str | None,
) -> Plan[ViewPage[SessionQAEntry]]:
    """Return a page of one owner's answers that have all words of the text, the newest first."""
    user = owner_of(user_id, everyone=everyone)
    if everyone and session_id is not None:
        raise InvalidArgument("everyone", "expected no session together with it")
    count = natural(limit, "limit")
    within = None if session_id is None else core.place(session_id, user_id).ledger_id
    places: dict[str, Place | None] = {}

    def fetch(size: int, behind: str | None) -> Plan[ViewPage[SearchHit]]:
        page: ViewPage[SearchHit] = yield core.views.search(
            text,
            tenant=core.tenant,
            session_id=within,
            kinds=["qa"],
            limit=size,
            cursor=behind,
        )
        return page

    def fits(hits: Sequence[SearchHit]) -> Plan[list[SessionQAEntry | None]]:
        found: list[SessionQAEntry | None] = []
        for hit in hits:
            row: QAEntry = hit.view
            if row.session_id not in places:
                places[row.session_id] = yield from _place(core, row.session_id)
            place = places[row.session_id]
            mine = place is not None and (everyone or place.user_id == user)
            found.append(entry_of(row, place) if place is not None and mine else None)
        return found

    return (yield from fitting(fetch, fits, count, cursor))


def _place(core: QACore, ledger_id: str) -> Plan[Place | None]:
    place = place_of_id(ledger_id)
    if place is not None:
        return place if (yield from core.is_there(place)) else None
    row: Session | None = yield core.views.session(ledger_id, tenant=core.tenant)
    return None if row is None or not (yield from core.alive([row])) else place_of_row(row)


def history(
    core: QACore, place: Place, last_n: int | None, matching: str | None
) -> Plan[list[SessionQAEntry]]:
    """Return the last answers and those that a text reminds of, each once, oldest first."""
    count = checked_last(last_n)
    if matching is None:
        return (yield from entries.entries(core, place, count))
    answers = yield from entries.entries(core, place, None)
    hits = ranked(keywords(matching, "matching"), "session", answers)[:MATCHES_MAX]
    last = answers if count is None else answers[max(0, len(answers) - count) :]
    wanted = {one.qa_id for one in last} | {hit.item.qa_id for hit in hits}
    return [one for one in answers if one.qa_id in wanted]


def as_messages(entries: Iterable[SessionQAEntry]) -> list[dict[str, str]]:
    """Return answered questions as messages of user and assistant in turn. Pure."""
    return [
        {"role": role, "content": content}
        for entry in entries
        for role, content in (("user", entry.question), ("assistant", entry.answer))
    ]


def as_text(entries: Sequence[SessionQAEntry], *, include_context: bool = True) -> str:
    """Return answered questions as a text for a prompt, "" if there are none. Pure."""
    if not entries:
        return ""
    lines = ["Previous conversation:"]
    for entry in entries:
        lines += ["", f"[{entry.created_at.isoformat()}]", f"QUESTION: {entry.question}"]
        if include_context and entry.context is not None:
            lines.append(f"CONTEXT: {entry.context}")
        lines.append(f"ANSWER: {entry.answer}")
    return "\n".join(lines)
