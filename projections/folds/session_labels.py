"""What a session is called when nobody named it: after what was asked, said or done first."""

from __future__ import annotations

from typing import Any

LABEL_CHARS_MAX = 120

# A label from further left wins; within one kind the first.
_RANKS = {"given": 0, "question": 1, "message": 2, "function": 3}
UNLABELLED = {"label": None, "label_source": None, "label_source_id": None}


def label_from(before: str | None, source: str, text: object, source_id: str) -> dict[str, Any]:
    """Return the changes if `text` from this source goes before the source of the label so far."""
    if before is not None and _RANKS[before] <= _RANKS[source]:
        return {}
    if not isinstance(text, str) or not text.strip():
        return {}
    return {
        "label": text.strip()[:LABEL_CHARS_MAX],
        "label_source": source,
        "label_source_id": source_id,
    }


def relabelled(before: str | None, data: dict[str, Any], event_id: str) -> dict[str, Any]:
    """Return the changes of a fact that gives a label or takes the given one back, if it does."""
    if data.get("label"):
        label = data["label"][:LABEL_CHARS_MAX]
        return {"label": label, "label_source": "given", "label_source_id": event_id}
    return dict(UNLABELLED) if "label" in data and before == "given" else {}
