"""The command line: a session as it was, and what changed."""

import json
import re
from pathlib import Path

import pytest

from ledger import Ledger, NewEvent
from projections import Views
from projections.cli import show
from tests.support.cli import run_cli


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        ledger.append("s", NewEvent({"label": "first"}, "session.created"))
        ledger.append("s", NewEvent({}, "run.started", run_id="r"))
        ledger.append("s", NewEvent({"label": "second\x1b[2J"}, "session.labelled"))
        ledger.append("s", NewEvent({}, "run.finished", run_id="r"))
    return url


def test_show_shows_a_session_as_it_was(url: str) -> None:
    now = run_cli("show", "s", "--url", url)
    then = run_cli("show", "s", "--as-of", "2", "--url", url)
    assert (now.code, then.code) == (0, 0)
    assert re.search(r"^label +second", now.out, re.MULTILINE)
    assert re.search(r"^label +first", then.out, re.MULTILINE)
    assert re.search(r"^r +completed", now.out, re.MULTILINE)
    assert re.search(r"^r +running", then.out, re.MULTILINE)


def test_show_takes_a_time(url: str) -> None:
    with Ledger.open(url) as ledger:
        last = ledger.read("s")[-1].recorded_at.isoformat()
    assert run_cli("show", "s", "--as-of", last, "--url", url).out == (
        run_cli("show", "s", "--url", url).out
    )


@pytest.mark.parametrize("as_of", [[], ["--as-of", "15"]])
@pytest.mark.parametrize(("most", "more"), [(2, 3), (4, 1), (5, 0), (9, 0)])
def test_show_says_how_many_rows_it_leaves_out(
    url: str, monkeypatch: pytest.MonkeyPatch, as_of: list[str], most: int, more: int
) -> None:
    def qa(number: int) -> dict[str, str]:
        return {"qa_id": f"q{number}", "question": f"question {number}", "answer": ""}

    with Ledger.open(url) as ledger:
        for n in range(5):
            run_id = f"run-{n}"
            ledger.append("t", NewEvent({}, "run.started", run_id=run_id))
            ledger.append("t", NewEvent(qa(n), "qa.recorded"))
            ledger.append("t", NewEvent({}, "run.finished", run_id=run_id))
        assert len(Views(ledger).traces("t")) == 5
    monkeypatch.setattr(show, "SHOWN_MAX", most)
    shown = run_cli("show", "t", *as_of, "--url", url).out
    assert re.findall(r"^and .*$", shown, re.MULTILINE) == (
        [f"and {more} more {where} them" for where in ("behind", "before", "behind", "behind")]
        if more
        else []
    )
    assert "Anomalies (5)\n" in shown  # nobody had created the session
    least = min(most, 5)
    assert re.findall(r"^run-\d", shown, re.MULTILINE) == [f"run-{n}" for n in range(least)]
    assert re.findall(r"^question \d", shown, re.MULTILINE) == [
        f"question {n}" for n in range(5 - least, 5)
    ]


def test_diff_prints_the_fields_that_changed(url: str) -> None:
    done = run_cli("diff", "s", "2", "3", "--url", url)
    assert done.code == 0
    assert re.search(r"^label +first +second\\x1b\[2J *$", done.out, re.MULTILINE)
    assert run_cli("diff", "s", "3", "3", "--url", url).out == ""


def test_diff_goes_over_the_rows_of_any_view(url: str) -> None:
    done = run_cli("diff", "s", "2", "4", "--projection", "runs", "--json", "--url", url)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {"key": ["r"], "field": "status", "before": "running", "after": "completed"} in lines
    table = run_cli("diff", "s", "2", "4", "--projection", "runs", "--url", url).out
    assert re.search(r"^r +status +running +completed", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "--as-of", "1"], "--as-of: only one session has a past"),
        (["show", "s", "--as-of", "5"], "5 is yet to come"),
        (["show", "s", "--as-of", "0"], "there is no session 's' then"),
        (["show", "s", "--as-of", "yesterday"], "--as-of: expected a sequence or ISO 8601"),
        (["show", "s", "--as-of", "2020-01-01"], "--as-of: expected a datetime with a time zone"),
        (["diff", "s", "1", "x"], "after: expected a sequence or ISO 8601 text, got 'x'"),
        (["diff", "s", "-1", "2"], "before: expected a sequence or ISO 8601 text, got '-1'"),
        (["diff", "s", "1", "5"], "after: session 's' is at sequence 4, 5 is yet to come"),
        (["diff", "s", "5", "1"], "before: session 's' is at sequence 4, 5 is yet to come"),
        (["diff", "s", "1", "9" * 19], "after: expected a sequence from 0"),
        (["diff", "s", "1", "2020-01-01"], "after: expected a datetime with a time zone"),
        (["show", "-7"], "there is no session '-7'"),
        (
            ["diff", "s", "1", "2", "--projection", "no"],
            "--projection: there is no projection 'no'",
        ),
        (["diff", " ", "1", "2"], "must not be empty or blank."),
    ],
)
def test_a_wrong_call_gets_one_line(url: str, arguments: list[str], says: str) -> None:
    done = run_cli(*arguments, "--url", url)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
