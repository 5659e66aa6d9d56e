"""Whether a text names any of many ids as a whole. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

_WORDS = re.compile(r"\w+")
_LETTER = re.compile(r"\w")
#: Fewer ids are looked for in the text as it is, before its words are.
FEW = 8


class NamedIds:
    r"""Some ids, and where they stand in a text with no letter, digit or `_` beside them.

    The same as `(?<!\w)(?:one|another|…)(?!\w)`, which tries them all at each place of a text.
    Where an id stands as a whole each of its words is a word of the text, so an id is looked for
    only where the text has the word that the fewest ids share.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        #: Each once, as they were given.
        self.ids: Collection[str] = dict.fromkeys(ids)
        words = {one: [*_WORDS.finditer(one)] for one in self.ids}
        shared = Counter(word for found in words.values() for word in {each[0] for each in found})
        self._by_word: dict[str, list[tuple[str, int]]] = {}
        for one, found in words.items():
            if found:
                rarest = min(found, key=lambda word: shared[word[0]])
                self._by_word.setdefault(rarest[0], []).append((one, rarest.start()))
        self._without_words = [one for one, found in words.items() if not found]
        self._wordless = _pattern(self._without_words) if self._without_words else None

    def found_in(self, text: str) -> set[str]:
        """Return those that a text names."""
        found: set[str] = set()
        if len(self.ids) <= FEW and not any(one in text for one in self.ids):
            return found  # in a hundredth of the time, and in nearly all texts
        for word in _WORDS.finditer(text) if self._by_word else ():
            for one, before in self._by_word.get(word[0], ()):
                if one not in found and _stands(text, one, word.start() - before):
                    found.add(one)
        if self._wordless is not None and self._wordless.search(text) is not None:
            found |= {one for one in self._without_words if _pattern([one]).search(text)}
        return found


def _stands(text: str, one: str, start: int) -> bool:
    if start < 0 or not text.startswith(one, start):
        return False
    end = start + len(one)
    return not (_LETTER.match(text[start - 1 : start]) or _LETTER.match(text, end))


def _pattern(ids: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(ids)))})(?!\w)")
