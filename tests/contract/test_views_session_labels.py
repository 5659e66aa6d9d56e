"""A session's label goes or changes with what it is from, in every list, on every backend."""

from collections.abc import Sequence
from typing import Any

import pytest

from ledger import NewEvent
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("all_views")

ASKED = [
    NewEvent({"qa_id": "q1", "question": "My card is 4111.", "answer": "a"}, "qa.recorded"),
    NewEvent({"qa_id": "q2", "question": "Second?", "answer": "a"}, "qa.recorded"),
]
SAID = [
    NewEvent(
        {"role": "user", "content": "My card is 4111.", "message_id": "m1"}, "message.appended"
    ),
    NewEvent({"role": "user", "content": "Second.", "message_id": "m2"}, "message.appended"),
]
WORKED = [NewEvent({"origin_function": "f", "status": "ok", "step_id": "t"}, "trace.appended")]
TAKEN_BACK = [NewEvent({"label": one}, "session.labelled") for one in ("Mine", None)]
AGAIN = NewEvent({"qa_id": "q3", "question": "Third?", "answer": "a"}, "qa.recorded")


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ([*ASKED, NewEvent({"qa_id": "q1"}, "qa.deleted")], None),
        ([*ASKED, NewEvent({"qa_id": "q1"}, "qa.deleted"), AGAIN], "Third?"),
        ([*ASKED, NewEvent({"qa_id": "q1", "question": "First?"}, "qa.amended")], "First?"),
        ([*ASKED, NewEvent({"qa_id": "q1", "question": " "}, "qa.amended")], None),
        ([*ASKED, NewEvent({"qa_id": "q2"}, "qa.deleted")], "My card is 4111."),
        ([*ASKED, NewEvent({"qa_ids": ["q1"]}, "content.redacted")], None),
        ([*WORKED, NewEvent({"span_ids": ["t"]}, "content.redacted")], None),
        ([*SAID, NewEvent({"message_id": "m1"}, "message.deleted")], None),
        ([*SAID, NewEvent({"message_id": "m1", "content": "Hi."}, "message.amended")], "Hi."),
        ([*SAID, NewEvent({"message_ids": ["m1"]}, "content.redacted")], None),
        ([*ASKED, *TAKEN_BACK], None),
        ([*ASKED, *TAKEN_BACK, AGAIN], "Third?"),
        ([*WORKED, *SAID, NewEvent({"message_id": "m1"}, "message.deleted")], None),
    ],
)
def test_a_label_goes_or_changes_with_what_it_is_from(
    ledger: Any, facts: Sequence[NewEvent], label: str | None
) -> None:
    views = views_of(ledger)
    ledger.append("at once", facts)
    for fact in facts:  # folded one by one
        ledger.append("singly", fact)
        views.session("singly")
    assert {one.session_id: one.label for one in views.sessions()} == {
        "at once": label,
        "singly": label,
    }
    rows = [views.session(name) for name in ("at once", "singly")]
    assert len({(one.label_source, one.label_source_id) for one in rows}) == 1
