"""What a redaction takes away: what it lists, in every view, and nothing else."""

from typing import Any

import pytest

from ledger import NewEvent
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("all_views")


def test_feedback_on_a_redacted_answer_goes_when_it_is_listed_itself(ledger: Any) -> None:
    answer = {"qa_id": "q", "question": "?", "answer": "secret"}
    ledger.append(
        "s",
        [
            NewEvent({}, "session.created"),
            NewEvent(answer, "qa.recorded"),
            NewEvent({"input": "secret"}, "run.started", run_id="r"),
            NewEvent({"qa_id": "q", "feedback_id": "f", "text": "secret, good"}, "feedback.given"),
            NewEvent({"run_id": "r", "text": "secret, bad"}, "feedback.given", "own"),
        ],
    )
    views = views_of(ledger)
    assert views.qa("s")[0].feedback_text == "secret, good"
    assert views.run("s", "r").feedback_text == "secret, bad"
    ledger.append("s", NewEvent({"qa_ids": ["q"], "run_ids": ["r"]}, "content.redacted"))
    assert views.qa("s") == []
    run = views.run("s", "r")
    assert (run.input, run.feedback_text, run.is_redacted) == (None, None, True)
    assert [one.text for one in views.feedback("s")] == ["secret, good", "secret, bad"]
    ledger.append("s", NewEvent({"context_ids": ["f", "own"]}, "content.redacted"))
    assert views.feedback("s") == []
    assert views.anomalies("s") == []
