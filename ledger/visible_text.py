"""Text that agents wrote, with what does not simply show itself made visible. Pure.

An escape sequence in a message could retitle the window of whoever reads the log of a service, hide
a line or fill the clipboard; a bidi override could turn a path around.
"""

from __future__ import annotations

import unicodedata

#: Control, format (bidi, zero width), surrogate, private, unassigned, line and paragraph separator.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Letters and marks that Unicode gives no shape: fillers, a joiner, two vowels of Khmer. Selectors of
#: a variant have none either, and stay: they are how emoji and some Chinese names are written.
_SHAPELESS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
#: Of what an error says in others' words: they may quote a whole payload.
REASON_CHARS_MAX = 1_000
#: How many marks a letter may carry: more of them climb over the lines above.
MARKS_MAX = 3


def safe(text: str) -> str:
    """Return text in one line that a terminal shows as it is and does not obey."""
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in _HIDDEN or marks > MARKS_MAX or character in _SHAPELESS:
            shown.append(_code(character))
        else:
            shown.append(character)
    return "".join(shown)


def shown(text: str) -> str:
    """Return what an error says so that every database takes it and a terminal shows it."""
    return safe(text if len(text) <= REASON_CHARS_MAX else text[:REASON_CHARS_MAX] + "…")


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
