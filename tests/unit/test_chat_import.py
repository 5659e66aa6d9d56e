"""Chat transcripts as facts: forms, pairing of calls and results, and what repeats."""

import json
from typing import Any

import pytest

from ledger import EventIdReused, InvalidImport, Ledger
from projections.chat_import import Conversation, conversations, facts, incarnation
from projections.views import Views

ASKED = {"role": "user", "content": "What is 2 + 2?"}
ANSWERED = {"role": "assistant", "content": "4"}


def call(provider_id: str, name: str = "add", arguments: str = '{"a":2}') -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": provider_id, "type": "function", "function": function}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(provider_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": provider_id, "name": "add", "content": content}


def read(value: Any) -> list[Conversation]:
    return list(conversations(json.dumps(value).encode(), "file"))


def views_of(*messages: dict[str, Any], **fields: Any) -> Views:
    ledger = Ledger.open("memory:")
    ledger.append("s", facts(Conversation(session_id="s", messages=list(messages), **fields)))
    return Views(ledger)


def calls_in(views: Views) -> list[tuple[str, Any, Any]]:
    spans = [span for span in views.traces("s") if span.source == "call"]
    return [(span.own_id, span.tool_call_id, span.output) for span in spans]


@pytest.mark.parametrize(
    ("value", "session_ids"),
    [
        ([{"task_id": 7, "trial": 1, "reward": 1.0, "info": {}, "traj": [ASKED]}], ["7/1"]),
        ([{"task_id": 7, "traj": [ASKED]}], ["7"]),
        ([{"task_id": "a", "trial": None, "traj": [ASKED]}], ["a"]),
        (
            [{"task_id": None, "trial": n, "traj": [ASKED]} for n in "ab"],
            ["file-00001", "file-00002"],
        ),
        ([ASKED, ANSWERED], ["file"]),
        ({"messages": [ASKED]}, ["file"]),
        ([[ASKED], [ANSWERED]], ["file-00001", "file-00002"]),
        ([{"messages": [ASKED]}, {"messages": []}], ["file-00001", "file-00002"]),
        ([], []),
    ],
)
def test_every_form_of_file_is_read(value: Any, session_ids: list[str]) -> None:
    assert [conversation.session_id for conversation in read(value)] == session_ids


@pytest.mark.parametrize("odd", [True, {"a": 1}, ["a"]])
@pytest.mark.parametrize("field", ["task_id", "trial"])
def test_what_is_no_name_of_a_conversation_is_refused(field: str, odd: object) -> None:
    with pytest.raises(InvalidImport, match=f"{field}: expected text or a number"):
        read([{"task_id": 7, "traj": [ASKED]} | {field: odd}])


def test_json_lines_are_read_line_by_line() -> None:
    lines = b'{"messages":[{"role":"user"}]}\n\n[{"role":"user"}]\r\n'
    assert [(c.session_id, c.line) for c in conversations(lines, "f")] == [
        ("f-00001", 1),
        ("f-00002", 3),
    ]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"{", 1),
        (b'[[{"role":"user"}]]\nNaN', 2),
        (b"\xff", 1),
        (b"3", 1),
        (b'[{"content":"x"}]', 1),
        (b'{"messages":[]}\n{"messages":[1]}', 2),
        (b'{"messages":[],"reward":true}', 1),
        (b'{"messages":[]}\n{"messages":[],"reward":-' + b"9" * 400 + b"}", 2),
        (b'{"messages":[{"role":"assistant","tool_calls":{}}]}', 1),
        (b"[" * 100_000, 1),
    ],
)
def test_what_is_no_transcript_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(InvalidImport) as caught:
        list(conversations(data, "file"))
    assert caught.value.line == line


@pytest.mark.parametrize(
    "message",
    [
        {"role": "wizard", "content": "x"},
        {"role": "user", "content": 3},
        {"role": "assistant", "tool_calls": [{"id": "x", "type": "function"}]},
        {"role": "assistant", "tool_calls": [{"id": 1, "function": {"name": "f"}}]},
        {"role": "assistant", "tool_calls": [{"id": "x", "function": {}}]},
    ],
)
def test_a_message_that_no_view_could_show_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidImport):
        facts(Conversation(session_id="s", messages=[message], line=4))


def test_a_result_belongs_to_the_earliest_unanswered_call_of_its_id() -> None:
    views = views_of(
        calling(call("x"), call("x"), call("y")), result("x", "1"), result("y", "3"),
        result("x", "2"), calling(call("x")), result("x", "4"), result("x", "nobody asked"),
    )  # fmt: skip
    assert calls_in(views) == [
        ("call-0-0", "x", "1"),
        ("call-0-1", "x", "2"),
        ("call-0-2", "y", "3"),
        ("call-4-0", "x", "4"),
    ]
    assert views.messages("s")[-1].content == "nobody asked"


class Counted(str):
    """An id that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


def test_results_that_nobody_asked_for_are_not_looked_for_among_all_calls() -> None:
    messages = [calling(*[call("x")] * 100), *[result(Counted("y"), "!")] * 100]
    found = facts(Conversation(session_id="s", messages=messages))
    assert len(found) == 3 + 1 + 100 + 100
    assert Counted.compared <= 1_000


def test_arguments_stay_as_the_model_wrote_them() -> None:
    wrong = '{"a": 1, "a": 2}'
    views = views_of(calling(call("x", arguments=' {"a":  1}'), call("y", arguments=wrong)))
    [message] = views.messages("s")
    assert message.tool_calls is not None
    assert [c["arguments"] for c in message.tool_calls] == [' {"a":  1}', wrong]
    assert [span.input for span in views.traces("s") if span.source == "call"] == [{"a": 1}, wrong]


def test_fields_without_a_place_are_kept_in_the_metadata() -> None:
    views = views_of({"role": "assistant", "content": "no", "refusal": "policy", "audio": None})
    [message] = views.messages("s")
    assert message.metadata == {"chat": {"refusal": "policy", "audio": None}}


def test_a_turn_is_a_question_with_its_answer() -> None:
    views = views_of(ASKED, calling(call("x")), result("x", "4"), ANSWERED, ASKED)
    turns = [span for span in views.traces("s") if span.source == "turn"]
    assert [(turn.input, turn.output, turn.status) for turn in turns] == [
        ("What is 2 + 2?", "4", "ok"),
        ("What is 2 + 2?", None, "running"),
    ]


def test_run_and_reward_are_found_in_the_views() -> None:
    views = views_of(ASKED, ANSWERED, reward=0.5)
    [run] = views.runs("s")
    assert (run.status, run.reward, run.output, run.message_count) == ("completed", 0.5, "4", 2)


def test_importing_again_adds_nothing_and_another_conversation_is_refused() -> None:
    with Ledger.open("memory:") as ledger:
        for expected in (True, False):
            events = facts(Conversation(session_id="s", messages=[ASKED, ANSWERED]))
            assert {answer.stored for answer in ledger.append("s", events)} == {expected}
        with pytest.raises(EventIdReused):
            ledger.append("s", facts(Conversation(session_id="s", messages=[ANSWERED])))


def test_a_deleted_conversation_can_be_imported_again() -> None:
    talk = Conversation(session_id="s", messages=[ASKED, ANSWERED], reward=1.0)

    def imported() -> set[bool]:
        events = facts(talk, incarnation(ledger, "s", "t"))
        return {answer.stored for answer in ledger.append("s", events, tenant="t")}

    with Ledger.open("memory:") as ledger:
        for deletions in range(3):
            assert (imported(), imported()) == ({True}, {False}), deletions
            views = Views(ledger)
            assert [m.content for m in views.messages("s", tenant="t")] == ["What is 2 + 2?", "4"]
            assert [run.status for run in views.runs("s", tenant="t")] == ["completed"]
            assert ledger.delete("s", tenant="t")
            assert views.messages("s", tenant="t") == []
        assert imported() == {True}
