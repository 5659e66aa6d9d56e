"""Text that agents wrote, made harmless for a terminal.

Everything in a ledger may come from a model or from whoever talked to it: an escape sequence
could retitle the window, hide a line or fill the clipboard, a bidi override could turn a path
around. What does not simply show itself is shown as its code point instead.
"""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from ledger.visible_text import safe

__all__ = ["CELL_CHARS_MAX", "ascii_json", "cell", "one_line_json", "safe"]

CELL_CHARS_MAX = 200


def cell(value: Any, chars_max: int = CELL_CHARS_MAX) -> Text:
    """Return a value as a cell of a table: safe, cut, and never read as markup."""
    if value is None:
        return Text("")
    if not isinstance(value, str):
        value = one_line_json(value)
    # Cut before and after: one character becomes up to ten.
    shown = safe(value[: 2 * chars_max].replace("\n", " "))
    return Text(shown if len(shown) <= chars_max else shown[: chars_max - 1] + "…")


def one_line_json(value: Any) -> str:
    """Return JSON that keeps other scripts readable; `safe` makes it fit for a terminal."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def ascii_json(value: Any) -> str:
    """Return JSON in printable ASCII alone: safe on a terminal, exact for a program."""
    return json.dumps(value, separators=(",", ":"), default=str).replace("\x7f", "\\u007f")
