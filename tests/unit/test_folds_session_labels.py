"""What a session is called when nobody, or somebody, gave it a label."""

from __future__ import annotations

import pytest

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    MessageAppended,
    QARecorded,
    SessionLabelled,
    TraceAppended,
    TurnStarted,
)
from tests.support.session_rows import session_after


def question(text: str, qa_id: str = "q") -> QARecorded:
    return QARecorded(qa_id=qa_id, question=text, answer="")


STEP = TraceAppended(origin_function="search", status="ok", step_id="step")
HELLO = MessageAppended(role="user", content="Hello", message_id="m")


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ([STEP], ("search", "function", "step")),
        ([question(" "), question("Where is my order?", "q2")],
         ("Where is my order?", "question", "q2")),
        ([question("First?"), question("Second?", "q2")], ("First?", "question", "q")),
        ([question("x" * 200)], ("x" * 120, "question", "q")),
        ([STEP, question("Why?")], ("Why?", "question", "q")),
        ([STEP, HELLO], ("Hello", "message", "m")),
        ([HELLO, question("Why?"), STEP], ("Why?", "question", "q")),
        ([TurnStarted(turn_id="t1", user_message="Hi")], ("Hi", "message", "t1")),
        ([SessionLabelled(label="Mine"), question("Why?")], ("Mine", "given", "e1")),
        ([question("Why?"), SessionLabelled(label="Mine")], ("Mine", "given", "e2")),
        ([SessionLabelled(label="Mine"), SessionLabelled(label=None), STEP],
         ("search", "function", "step")),
        ([question("Why?"), SessionLabelled(label=None)], ("Why?", "question", "q")),
        ([question("Why?"), SessionLabelled(labels={})], ("Why?", "question", "q")),
        ([question("Why?"), ContentRedacted(qa_ids=["q"])], (None, None, None)),
        ([question("Why?"), ContentRedacted(qa_ids=["other"])], ("Why?", "question", "q")),
    ],
)  # fmt: skip
def test_the_label_is_given_or_the_first_question_or_message_or_function(
    facts: list[Fact], label: tuple[str | None, ...]
) -> None:
    session = session_after(*facts)
    assert (session.label, session.label_source, session.label_source_id) == label
