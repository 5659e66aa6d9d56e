"""A UUID has two texts, with hyphens and without, in letters of either size. Pure."""

from __future__ import annotations

import re
from uuid import UUID

_UUID_TEXT = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in one of its forms."""
    return _UUID_TEXT.fullmatch(text) is not None


def hyphenated(text: str) -> str:
    """Return a UUID with hyphens and in small letters, any other text as it is."""
    return str(UUID(text)) if is_uuid(text) else text
