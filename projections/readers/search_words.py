"""The words by which text is found: the same for every storage. Pure.

Text is brought to NFKC and casefolded. A word is a run of letters and digits; accents count where
NFKC makes one character of them and their letter. A mark that is left over (Mn, Mc, Me) ends a word,
as a space does, and is in none: to let a word go on behind it, the words of all rows would have to be
made anew, and no database keeps how they were made. Chinese characters and kana, which are written
without spaces, are words of one and of two characters each, and what is asked for in them is found by
its pairs. Words are cut after WORD_CHARS_MAX characters, in the text and in what is asked for alike.

The databases get these words, not the text: left to their own tokenisers, SQLite and PostgreSQL
would find different things, and a text of some size would be refused by PostgreSQL.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from typing import Any

WORD_CHARS_MAX = 64
#: What a row's words may take; PostgreSQL holds at most 1 MiB. Words behind it are not found.
WORDS_BYTES_MAX = 500_000

_SPACELESS = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"([{_SPACELESS}]+)|[^\W_{_SPACELESS}]+")
# Letters become small, and whatever is no word a space.
_ASCII_WORDS = bytes(ord(chr(code).lower() if chr(code).isalnum() else " ") for code in range(128))
_ASCII_WORDS += bytes(128)
# No word of a text has it, so that what a row belongs to is never mistaken for what it says.
_MARK = "·"
_DIGEST_CHARS = 32
#: So many have room, each with the most bytes that UTF-8 has for a character, and a space.
_WORDS_SURELY_MAX = WORDS_BYTES_MAX // (4 * WORD_CHARS_MAX + 1)


def words(text: str) -> Iterable[str]:
    """Return the words under which a text is found, repetitions included."""
    if text.isascii():
        return _ascii_words(text)
    return _any_words(text)


def asked_words(text: str) -> tuple[str, ...]:
    """Return the words that a text must have to be found by another one, each once."""
    found: dict[str, None] = {}
    for match in _runs(text):
        run = match[0]
        if match[1] is None:
            found[run[:WORD_CHARS_MAX]] = None
        else:
            found |= dict.fromkeys(_pairs(run) if len(run) > 1 else run)
    return tuple(found)


# The tags of sessions repeat, and so do the tenants of their rows.
@lru_cache(1_024)
def marked(field: str, *values: str) -> str:
    """Return the word for a value that is found as a whole: a tenant, a session, a tag."""
    digest = sha256()
    for part in (field, *values):
        digest.update(len(part.encode()).to_bytes(4) + part.encode())
    return _MARK + digest.hexdigest()[:_DIGEST_CHARS]


def member_words(field: str, value: Any) -> list[str]:
    """Return the words for the members of a list of text, or of an object with values of text."""
    if isinstance(value, dict):
        return [marked(field, key, one) for key, one in value.items() if isinstance(one, str)]
    members = value if isinstance(value, list) else ()
    return [marked(field, one) for one in members if isinstance(one, str)]


def texts_within(value: Any, *, names: bool = False) -> Iterator[str]:
    """Yield every text in a JSON value, those that are names of members only with `names`."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            if names:
                yield from one
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)


def bounded(found: Iterable[str]) -> Collection[str]:
    """Return the words, each once, that have room."""
    each = dict.fromkeys(found)
    if len(each) <= _WORDS_SURELY_MAX or len(" ".join(each).encode()) <= WORDS_BYTES_MAX:
        return each
    ends = accumulate(len(word.encode()) + 1 for word in each)
    return [word for word, end in zip(each, ends, strict=True) if end <= WORDS_BYTES_MAX]


def _ascii_words(text: str) -> list[str]:
    # The same as for any text, at a tenth of the cost.
    found = text.encode().translate(_ASCII_WORDS).decode().split()
    if len(text) <= WORD_CHARS_MAX or max(map(len, found), default=0) <= WORD_CHARS_MAX:
        return found
    return [word[:WORD_CHARS_MAX] for word in found]


def _any_words(text: str) -> Iterator[str]:
    for match in _runs(text):
        run = match[0]
        if match[1] is None:
            yield run[:WORD_CHARS_MAX]
        else:
            yield from run
            yield from _pairs(run)


def _runs(text: str) -> Iterator[re.Match[str]]:
    return _RUN.finditer(unicodedata.normalize("NFKC", text).casefold())


def _pairs(run: str) -> Iterator[str]:
    return (run[place : place + 2] for place in range(len(run) - 1))
