"""What a session is called when nobody, or somebody, gave it a label."""

from __future__ import annotations

import pytest

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    MessageAmended,
    MessageAppended,
    MessageDeleted,
    QAAmended,
    QADeleted,
    QARecorded,
    SessionLabelled,
    TraceAppended,
    TurnStarted,
)
from tests.support.session_rows import session_after


def label_after(*facts: Fact) -> tuple[str | None, ...]:
    """Return a session's label, what it is from, and the id of that."""
    session = session_after(*facts)
    return session.label, session.label_source, session.label_source_id


def question(text: str, qa_id: str = "q") -> QARecorded:
    return QARecorded(qa_id=qa_id, question=text, answer="")


STEP = TraceAppended(origin_function="search", status="ok", step_id="step")
LAST_STEP = TraceAppended(origin_function="plan", status="ok", step_id="last")
HELLO = MessageAppended(role="user", content="Hello", message_id="m")
BYE = MessageAppended(role="user", content="Bye", message_id="m2")
MINE = SessionLabelled(label="Mine")
TAKEN_BACK = (MINE, SessionLabelled(label=None))
ASKED_TWICE = (question("My card is 4111."), question("Why?", "q2"))


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
        ([*ASKED_TWICE, *TAKEN_BACK], (None, "question", None)),
        ([*ASKED_TWICE, *TAKEN_BACK, question("Last?", "q3")], ("Last?", "question", None)),
        ([MINE, question("Why?"), SessionLabelled(label=None), question("Last?", "q3")],
         ("Last?", "question", None)),
        ([STEP, *TAKEN_BACK], (None, "function", None)),
        ([STEP, *TAKEN_BACK, LAST_STEP], ("plan", "function", None)),
        ([*TAKEN_BACK], (None, None, None)),
        ([HELLO, *TAKEN_BACK, BYE], ("Bye", "message", "m2")),
        ([question("Why?"), SessionLabelled(label=None)], ("Why?", "question", "q")),
        ([question("Why?"), SessionLabelled(labels={})], ("Why?", "question", "q")),
        ([question("Why?"), ContentRedacted(qa_ids=["q"])], (None, "question", None)),
        ([STEP, ContentRedacted(span_ids=["step"])], (None, "function", None)),
        ([HELLO, ContentRedacted(message_ids=["m"])], (None, None, None)),
        ([question("Why?"), ContentRedacted(qa_ids=["other"])], ("Why?", "question", "q")),
    ],
)  # fmt: skip
def test_the_label_is_given_or_the_first_question_or_message_or_function(
    facts: list[Fact], label: tuple[str | None, ...]
) -> None:
    assert label_after(*facts) == label


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ([*ASKED_TWICE, QADeleted(qa_id="q")], (None, "question", None)),
        ([*ASKED_TWICE, QADeleted(qa_id="q2")], ("My card is 4111.", "question", "q")),
        ([STEP, QADeleted(qa_id="step")], ("search", "function", "step")),
        ([HELLO, BYE, MessageDeleted(message_id="m")], (None, None, None)),
        ([HELLO, BYE, MessageDeleted(message_id="m2")], ("Hello", "message", "m")),
        ([HELLO, MessageDeleted(message_id="m"), BYE], ("Bye", "message", "m2")),
        # The function that the message stood before is there still.
        ([STEP, HELLO, MessageDeleted(message_id="m")], (None, "function", None)),
        ([STEP, HELLO, MessageDeleted(message_id="m"), LAST_STEP], ("plan", "function", None)),
        ([question("Why?"), QAAmended(qa_id="q", question="How?")], ("How?", "question", "q")),
        ([question("Why?"), QAAmended(qa_id="q", question="x" * 200)],
         ("x" * 120, "question", "q")),
        ([question("Why?"), QAAmended(qa_id="q", question=" ")], (None, "question", None)),
        ([question("Why?"), QAAmended(qa_id="q", answer="So.")], ("Why?", "question", "q")),
        ([*ASKED_TWICE, QAAmended(qa_id="q2", question="How?")],
         ("My card is 4111.", "question", "q")),
        ([STEP, question(""), QAAmended(qa_id="q", question="How?")], ("How?", "question", "q")),
        ([SessionLabelled(label="Mine"), question("Why?"), QAAmended(qa_id="q", question="How?")],
         ("Mine", "given", "e1")),
        ([HELLO, MessageAmended(message_id="m", content="Good day")],
         ("Good day", "message", "m")),
        ([HELLO, MessageAmended(message_id="m", content=None)], (None, None, None)),
        ([HELLO, MessageAmended(message_id="m", name="ann")], ("Hello", "message", "m")),
        ([HELLO, BYE, MessageAmended(message_id="m2", content="x")], ("Hello", "message", "m")),
    ],
)  # fmt: skip
def test_a_label_goes_or_changes_with_what_it_is_from(
    facts: list[Fact], label: tuple[str | None, ...]
) -> None:
    assert label_after(*facts) == label


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ([question("Last?", "q3")], ("Last?", "question", None)),
        ([STEP], ("search", "function", None)),
        ([STEP, question("Last?", "q3")], ("Last?", "question", None)),
        ([HELLO], ("Hello", "message", None)),
        # Which one it is from is not known any more, so it goes with any.
        ([question("Last?", "q3"), QADeleted(qa_id="q2")], (None, "question", None)),
        ([question("Last?", "q3"), QAAmended(qa_id="q3", question="End?")],
         ("End?", "question", None)),
        ([question("Last?", "q3"), ContentRedacted(qa_ids=["q3"])], (None, "question", None)),
        ([question("Last?", "q3"), ContentRedacted(message_ids=["m"])],
         ("Last?", "question", None)),
        ([HELLO, MessageDeleted(message_id="m")], (None, "message", None)),
        ([SessionLabelled(label="Mine")], ("Mine", "given", "e4")),
    ],
)  # fmt: skip
def test_behind_a_question_that_is_gone_no_label_says_that_it_is_the_first(
    facts: list[Fact], label: tuple[str | None, ...]
) -> None:
    assert label_after(*ASKED_TWICE, QADeleted(qa_id="q"), *facts) == label
