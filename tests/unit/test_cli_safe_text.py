"""What agents write is shown, not obeyed: no command lets a control character through."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from projections.cli.safe_text import ascii_json, cell, safe
from tests.support.cli import run_cli

HOSTILE = [
    "\x1b[2J\x1b[1;1H",
    "\x1b]0;new title\x07",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x90q\x9c",
    "a\rb",
    "a\bb\x7f",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "zero\u200bwidth\ufeff",
    "line\u2028and\u2029paragraph",
    "\U000e0041tag",
    "Z" + "\u0335" * 50,
    "[bold red]markup[/] [link=http://evil]x[/link] :boom: [/",
    "new\nline\ttab",
    "\u00ad\u061c\ue000\u0378",
    "two\u3164of\uffa0the\u115f\u1160same\u034fid\u17b4\u17b5",
]
#: A command takes a moment to start, so each is tried with several at once.
TOGETHER = ["".join(HOSTILE[start::4]) for start in range(4)]
BAD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
SHAPELESS = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def bad_characters(text: str) -> set[str]:
    return {c for c in text if (unicodedata.category(c) in BAD and c != "\n") or c in SHAPELESS}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_made_visible(text: str) -> None:
    shown = safe(text)
    assert bad_characters(shown) == set()
    assert "\n" not in shown
    assert bad_characters(cell(text).plain) == set()


@given(st.text(st.characters()))
def test_nothing_gets_through(text: str) -> None:
    assert bad_characters(safe(text)) == set()
    assert ascii_json({"x": text}).isascii()
    assert ascii_json({"x": text}).isprintable()
    assert json.loads(ascii_json({"x": text})) == {"x": text}


@pytest.mark.parametrize(
    "text", ["plain", "Grüße, 会话, привет", "😀", "❤\ufe0f", "e\u0301", "[x] {y}", ""]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_long_text_is_cut() -> None:
    assert cell("x" * 1_000, 10).plain == "x" * 9 + "…"
    assert len(cell("\x1b" * 1_000, 10).plain) == 10


@pytest.fixture(params=TOGETHER, ids=range(len(TOGETHER)))
def hostile_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger in which everything that a view shows is hostile."""
    text = request.param
    url = f"sqlite:///{tmp_path}/ledger.db"
    facts = [
        ("session.created", {"agent_id": text, "channel": text, "label": text, "tags": [text]}),
        ("run.started", {"model": text, "input": text}),
        ("turn.started", {"turn_id": text, "user_message": text}),
        ("message.appended", {"role": "user", "content": text, "name": text}),
        ("tool.started", {"call_id": text, "tool_name": text, "tool_input": {text: text}}),
        ("tool.failed", {"call_id": text, "error_message": text, "tool_output": [text]}),
        ("span.started", {"span_id": text, "name": text, "kind": text}),
        ("qa.recorded", {"qa_id": text, "question": text, "answer": text}),
        ("feedback.given", {"qa_id": text, "run_id": text, "text": text}),
        ("run.failed", {"error_code": text, "error_message": text}),
    ]
    with Ledger.open(url) as ledger:
        events = [NewEvent(data, type, run_id=text) for type, data in facts]
        ledger.append(text, events)
        ledger.append(text, NewEvent(b"x", "blob", content_type=text))
    request.node.session_id = text
    return url


@pytest.mark.parametrize("tty", [False, True])
def test_no_command_prints_it(
    hostile_url: str, request: pytest.FixtureRequest, tty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A terminal without colours: what is left of escapes then is not ours.
    monkeypatch.setenv("TERM", "dumb")
    session = request.node.session_id
    for arguments in (
        ["show"],
        ["show", session],
        ["show", f"not {session}"],
        ["read", session],
        ["read", session, "--json"],
        ["tail", "--count", "5"],
        ["tail", session, "--count", "5", "--json"],
        ["append", session, "note", "{}", "--event-id", session],
        ["append", session, "note", "{}", "--expected", "99"],
        ["anomalies"],
        ["anomalies", session],
        ["search", session],
        ["search", session, "--session", f"not {session}"],
        ["fork", session, "--at", "1", "--into", f"new {session}"],
        ["fork", session, "--at", "99", "--into", f"new {session}"],
        ["delete", f"new {session}", "--reason", session],
        ["delete", f"not {session}"],
        ["backup", f"/nowhere/{session}"],
    ):
        done = run_cli(*arguments, "--url", hostile_url, tty=tty)
        assert bad_characters(done.out + done.err) == set(), arguments
        if "[bold" in session and arguments == ["show", session]:
            assert "[bold red]markup[/]" in done.out
