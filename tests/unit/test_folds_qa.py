"""What the view of questions and answers says after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    FeedbackCleared,
    FeedbackGiven,
    GraphElementIds,
    QAAmended,
    QADeleted,
    QARecorded,
)
from projections.folds.qa import QA, QAEntry
from tests.support.folds import at, event_of, events_of, fold, only, unmarked

RECORDED = QARecorded(qa_id="q", question="Where?", answer="There.", context="map")
FULL = QARecorded(
    qa_id="q",
    question="Where?",
    answer="There.",
    context="",
    user_id="u",
    feedback_text="good",
    feedback_score=4,
    used_graph_element_ids=GraphElementIds(node_ids=["n"]),
    used_session_context_ids=["c"],
    memify_metadata={"done": True},
)


def entry_after(*facts: Fact) -> QAEntry | None:
    entry = only(QA, events_of(*facts))
    assert entry is None or isinstance(entry, QAEntry)
    return entry


def expected(last: int, **fields: Any) -> QAEntry:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "qa_id": "q",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "question": "Where?",
        "answer": "There.",
        "context": "map",
        "created_at": at(1),
        "updated_at": at(last),
    }
    return QAEntry(**usual | fields)


FULL_FIELDS: dict[str, Any] = {
    "context": "",
    "user_id": "u",
    "feedback_text": "good",
    "feedback_score": 4,
    "used_graph_element_ids": {"node_ids": ["n"]},
    "used_session_context_ids": ["c"],
    "memify_metadata": {"done": True},
}


def test_an_entry_has_what_was_recorded() -> None:
    assert entry_after(RECORDED) == expected(1)
    assert entry_after(FULL) == expected(1, **FULL_FIELDS)
    assert only(QA, events_of(RECORDED, run_id="r")) == expected(1, run_id="r")


def test_no_context_and_empty_context_differ() -> None:
    entry = entry_after(QARecorded(qa_id="q", question="", answer=""))
    assert entry == expected(1, question="", answer="", context=None)


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"question": "Why?", "answer": ""}, {"question": "Why?", "answer": ""}),
        ({"context": None}, {"context": None}),
        ({"feedback_text": None}, {"feedback_text": None}),
        ({"feedback_score": None}, {"feedback_score": None}),
        ({"feedback_score": 1}, {"feedback_score": 1}),
        ({"used_graph_element_ids": None}, {"used_graph_element_ids": None}),
        ({"used_graph_element_ids": GraphElementIds()}, {"used_graph_element_ids": None}),
        ({"used_session_context_ids": []}, {"used_session_context_ids": None}),
        ({"used_session_context_ids": ["d"]}, {"used_session_context_ids": ["d"]}),
        ({"memify_metadata": {"x": False}}, {"memify_metadata": {"done": True, "x": False}}),
        ({"memify_metadata": {"done": None}}, {"memify_metadata": None}),
        ({"memify_metadata": {}}, {}),
        ({"memify_metadata": None}, {"memify_metadata": None}),
    ],
)
def test_an_amendment_keeps_clears_or_sets_each_field(
    patch: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert entry_after(FULL, QAAmended(qa_id="q", **patch)) == expected(2, **FULL_FIELDS | changed)


def test_flags_of_two_writers_both_survive() -> None:
    entry = entry_after(
        RECORDED,
        QAAmended(qa_id="q", memify_metadata={"one": True}),
        QAAmended(qa_id="q", memify_metadata={"two": True}),
    )
    assert entry == expected(3, memify_metadata={"one": True, "two": True})


def test_a_score_makes_the_weights_apply_again_and_a_text_alone_keeps_both() -> None:
    applied = QAAmended(qa_id="q", memify_metadata={"feedback_weights_applied": True, "x": True})
    rated = FeedbackGiven(qa_id="q", score=2, text="meh")
    assert entry_after(RECORDED, rated) == expected(
        2,
        feedback_score=2,
        feedback_text="meh",
        memify_metadata={"feedback_weights_applied": False},
    )
    assert entry_after(RECORDED, rated, applied, FeedbackGiven(qa_id="q", text="Hm.")) == expected(
        4,
        feedback_score=2,
        feedback_text="Hm.",
        memify_metadata={"feedback_weights_applied": True, "x": True},
    )
    assert entry_after(RECORDED, rated, applied, FeedbackGiven(qa_id="q", score=5)) == expected(
        4,
        feedback_score=5,
        feedback_text="meh",
        memify_metadata={"feedback_weights_applied": False, "x": True},
    )


def test_clearing_feedback_leaves_the_flags() -> None:
    assert entry_after(FULL, FeedbackCleared(qa_id="q")) == expected(
        2, **FULL_FIELDS | {"feedback_text": None, "feedback_score": None}
    )


def test_mentioned_answers_are_not_judged() -> None:
    mentioned = FeedbackGiven(run_id="r", score=1, referenced_qa_ids=["q"])
    assert entry_after(RECORDED, mentioned) == expected(1)


@pytest.mark.parametrize("end", [QADeleted(qa_id="q"), ContentRedacted(qa_ids=["q", "p"])])
def test_a_deleted_or_redacted_entry_is_gone_and_stays_gone(end: Fact) -> None:
    again = [QAAmended(qa_id="q", answer="x"), FeedbackGiven(qa_id="q", score=1), end]
    assert entry_after(RECORDED, end) is None
    stray = entry_after(RECORDED, end, *again)
    assert stray is not None
    assert (stray.missing_since, stray.question, stray.answer) == (at(3), "", "")
    assert stray.feedback_score is None


def test_an_id_can_be_recorded_again_after_its_deletion() -> None:
    entry = entry_after(FULL, QADeleted(qa_id="q"), RECORDED)
    assert entry == expected(3, first_sequence=3, created_at=at(3))


def test_the_first_recording_of_an_id_stands() -> None:
    assert unmarked(entry_after(RECORDED, FULL)) == expected(2)


def test_an_unknown_entry_is_as_recorded_whatever_came_before() -> None:
    early = [QAAmended(qa_id="q", answer="x"), FeedbackGiven(qa_id="q", score=1)]
    entry = unmarked(entry_after(*early, RECORDED))
    assert entry == expected(3, first_sequence=3, created_at=at(3))


def test_the_same_id_in_two_sessions_is_two_entries() -> None:
    events = [event_of(RECORDED), event_of(RECORDED, session_id="s2")]
    assert set(fold(QA, events)) == {("t", "s", "q"), ("t", "s2", "q")}
