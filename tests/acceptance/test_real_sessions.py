"""200 real agent sessions: imported on every backend, and all of it found again in the views.

The data is not part of the project; LEDGER_TEST_DATA names the directory that holds it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from projections.chat_import import conversations, facts
from projections.views import Views
from tests.support.cli import run_cli

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("LEDGER_TEST_DATA", ROOT.parent / "shared" / "data"))
FILE = DATA / "airline_sessions.json"

if not FILE.exists():
    pytest.skip(
        f"{FILE.name} is not there; LEDGER_TEST_DATA may say where", allow_module_level=True
    )

SESSIONS, MESSAGES, CALLS, REWARDS = 200, 5_308, 1_164, 200


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with all 200 sessions."""
    if request.param == "memory":
        url = "memory:"
    elif request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
    else:
        url = str(request.getfixturevalue("postgres_url"))
    with Ledger.open(url) as opened:
        for conversation in conversations(FILE.read_bytes(), FILE.stem):
            opened.append(conversation.session_id, facts(conversation))
        yield opened


def as_written(calls: list[dict[str, Any]] | None) -> list[tuple[str, str, str, str]] | None:
    """Return tool calls, from a file or from a view, as comparable values."""
    if calls is None:
        return None
    flat = [call | call.get("function", {}) for call in calls]
    return [(call["id"], call["type"], call["name"], call["arguments"]) for call in flat]


def test_every_message_call_result_and_reward_is_in_the_views(ledger: Ledger) -> None:
    views = Views(ledger)
    messages = calls = results = rewards = 0
    for source in json.loads(FILE.read_bytes()):
        session_id = f"{source['task_id']}/{source['trial']}"
        shown = views.messages(session_id)
        assert [
            (m.role, m.content, m.name, m.tool_call_id, as_written(m.tool_calls)) for m in shown
        ] == [
            (
                m["role"],
                m["content"],
                m.get("name"),
                m.get("tool_call_id"),
                as_written(m.get("tool_calls")),
            )
            for m in source["traj"]
        ]
        spans = [span for span in views.traces(session_id) if span.source == "call"]
        asked = [call for m in source["traj"] for call in m.get("tool_calls") or ()]
        answered = [m for m in source["traj"] if m["role"] == "tool"]
        # Each call of this data is answered before the next one is made.
        assert [(s.tool_call_id, s.name, s.output, s.status) for s in spans] == [
            (call["id"], call["function"]["name"], answer["content"], "ok")
            for call, answer in zip(asked, answered, strict=True)
        ]
        [run] = views.runs(session_id)
        assert (run.status, run.reward) == ("completed", source["reward"])
        messages += len(shown)
        calls += len({span.own_id for span in spans})
        results += sum(span.output is not None for span in spans)
        rewards += run.reward is not None
    assert (messages, calls, results, rewards) == (MESSAGES, CALLS, CALLS, REWARDS)
    assert len(views.sessions(limit=1_000)) == SESSIONS
    assert all(session.anomaly_count == 0 for session in views.sessions(limit=1_000))


def test_an_export_of_them_is_the_same_everywhere(ledger: Ledger) -> None:
    lines = list(ledger.export_lines())
    with Ledger.open("memory:", buckets=7) as other:
        other.import_lines(lines)
        assert list(other.export_lines()) == lines
        assert other.verify().findings == ()


def test_the_command_line_imports_them_once(tmp_path: Path) -> None:
    call = ("import", str(FILE), "--format", "openai-chat", "--url", f"sqlite:///{tmp_path}/x.db")
    first, again = run_cli(*call), run_cli(*call)
    assert (first.code, again.code) == (0, 0)
    assert first.out == "Imported 11226 events; 0 were there already.\n"
    assert again.out == "Nothing new: all 11226 events were there already.\n"
