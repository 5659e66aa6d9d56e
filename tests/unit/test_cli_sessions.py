"""The command line: sessions that are not there, what did not fit, words, forks and deletions."""

import json
import re
import threading
from pathlib import Path

import pytest

from ledger import Follower, Ledger, NewEvent
from projections import Views
from projections.cli.app import app
from projections.cli.sections import SECTIONS
from tests.support.cli import run_cli


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger of one session with two anomalies, and another one without."""
    name = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(name) as ledger:
        ledger.append("odd", NewEvent({"provider": "x"}, "run.started"))
        ledger.append("odd", NewEvent({}, "run.finished", run_id="never\x1b[2J"))
        ledger.append("even", NewEvent({"label": "fits"}, "session.created"))
    return name


def refused(url: str, *arguments: str) -> str:
    """Return the line of a call that has to change."""
    done = run_cli(*arguments, "--url", url)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    return done.err


def test_show_prints_what_did_not_fit(url: str) -> None:
    shown = run_cli("show", "odd", "--url", url).out
    with Ledger.open(url) as ledger:
        marked = Views(ledger).anomalies("odd")
    assert f"Anomalies ({len(marked)})\n" in shown
    for one in marked:
        assert re.search(
            rf"^ +{one.sequence} +{one.type} +{one.view} .*{one.reason} *$", shown, re.MULTILINE
        )
    assert "never\\x1b[2J" in shown
    assert "Anomalies" not in run_cli("show", "even", "--url", url).out


@pytest.mark.parametrize(("as_of", "sequences"), [(1, {1}), (2, {1, 2})])
def test_show_prints_what_had_not_fitted_by_then(url: str, as_of: int, sequences: set[int]) -> None:
    shown = run_cli("show", "odd", "--as-of", str(as_of), "--url", url).out
    part = shown.partition("Anomalies")[2]
    assert {int(one) for one in re.findall(r"^ +(\d+) ", part, re.MULTILINE)} == sequences


def test_anomalies_lists_those_of_a_session_or_of_all(url: str) -> None:
    of_one, of_all = (run_cli("anomalies", *of, "--url", url) for of in (["odd"], []))
    assert (of_one.code, of_all.code) == (0, 0)
    assert re.search(r"^ +1 +run.started +sessions .*it names none", of_one.out, re.MULTILINE)
    assert re.search(r"^odd +1 +run.started +sessions ", of_all.out, re.MULTILINE)
    assert run_cli("anomalies", "even", "--url", url).out == "no anomalies\n"
    assert run_cli("anomalies", "--tenant", "t", "--url", url).out == "no anomalies\n"


def test_anomalies_has_a_limit_and_json(url: str) -> None:
    lines = run_cli("anomalies", "--json", "--url", url).out.splitlines()
    assert len(lines) > 1
    assert json.loads(lines[0]) == {
        "session_id": "odd",
        "sequence": 1,
        "view": "sessions",
        "row_key": [],
        "type": "run.started",
        "reason": "applied to no run, it names none",
    }
    first = run_cli("anomalies", "--limit", "1", "--url", url).out
    assert first.endswith("and more; see --limit\n")
    assert (first.count("run.started"), first.count("run.finished")) == (1, 0)
    assert "--limit: expected" in refused(url, "anomalies", "--limit", "-1")


def test_who_asks_for_nothing_is_not_told_that_there_is_none(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.append("even", NewEvent({"role": "user", "content": "parcel"}, "message.appended"))
    for call in (
        ["anomalies"],
        ["anomalies", "odd"],
        ["search", "parcel"],
        ["show"],
        ["read", "odd"],
    ):
        done = run_cli(*call, "--limit", "0", "--url", url)
        assert (done.code, done.out, done.err) == (0, "", ""), call


def test_an_unknown_session_is_an_error_of_whoever_names_it(url: str) -> None:
    for call in (
        *(["read", "no"], ["show", "no"], ["show", "no", "--as-of", "1"], ["verify", "no"]),
        *(["anomalies", "no"], ["search", "x", "--session", "no"], ["delete", "no"]),
        *(["read", "odd", "--tenant", "t"], ["fork", "no", "--at", "1", "--into", "x"]),
    ):
        assert "there is no session '" in refused(url, *call), call


def test_nothing_that_fits_is_no_error(url: str) -> None:
    for call, out in (
        (["read", "odd", "--type", "other"], ""),
        (["read", "no", "--wait", "0.01"], ""),
        (["show", "--status", "paused"], "no sessions\n"),
        (["search", "nothing", "--session", "odd"], "nothing found\n"),
    ):
        done = run_cli(*call, "--url", url)
        assert (done.code, done.out, done.err) == (0, out, "")


def test_a_deleted_session_is_told_from_one_that_never_was(url: str) -> None:
    call = ("delete", "odd", "--reason", "asked for", "--url", url)
    assert run_cli(*call).out == "Session odd is deleted.\n"
    for again in (["delete", "odd"], ["read", "odd"], ["show", "odd"], ["anomalies", "odd"]):
        assert "'odd' was deleted; read --deleted prints it" in refused(url, *again)
    lines = run_cli("read", "odd", "--deleted", "--json", "--url", url).out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == [
        *("run.started", "run.finished", "session.deleted")
    ]
    assert json.loads(lines[-1])["data"] == {"reason": "asked for"}
    assert run_cli("verify", "odd", "--url", url).out.startswith("3 events in 1 session ")


def test_a_fork_begins_once(url: str) -> None:
    call = ("fork", "odd", "--at", "1", "--into", "new", "--url", url)
    assert run_cli(*call).out == "Session new begins as a fork of odd at sequence 1.\n"
    assert run_cli(*call).out == "Session new began before as a fork of odd at sequence 1.\n"
    lines = run_cli("read", "new", "--lineage", "--json", "--url", url).out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["run.started", "session.forked"]
    assert "--at: session 'odd' has no" in refused(url, "fork", "odd", "--at", "9", "--into", "x")
    assert "--into: a session" in refused(url, "fork", "odd", "--at", "1", "--into", "odd")
    there = refused(url, "fork", "odd", "--at", "1", "--into", "even")
    assert "--into: there is a session 'even' already" in there
    for other in ("", "x" * 9_999):
        assert "--into: " in refused(url, "fork", "odd", "--at", "1", "--into", other)
    assert "session_id: " in refused(url, "fork", "", "--at", "1", "--into", "x")


def test_a_fork_and_a_deletion_are_a_tenants(url: str) -> None:
    run_cli("append", "s", "note", "{}", "--tenant", "t", "--url", url)
    forked = run_cli("fork", "s", "--at", "1", "--into", "u", "--tenant", "t", "--url", url)
    assert forked.code == 0
    assert run_cli("delete", "s", "--tenant", "t", "--url", url).code == 0
    assert run_cli("read", "u", "--tenant", "t", "--url", url).code == 0


def test_search_finds_messages_and_answers(url: str) -> None:
    with Ledger.open(url) as ledger:
        for session, tenant in (("a", ""), ("b", ""), ("a", "t")):
            said = {"role": "user", "content": f"Where is my \x1b[2J parcel of {session}?"}
            ledger.append(session, NewEvent(said, "message.appended"), tenant=tenant)
        asked = {"qa_id": "q", "question": "Where is my parcel?", "answer": "In Lyon."}
        ledger.append("b", NewEvent(asked, "qa.recorded"))
    found = run_cli("search", "PARCEL", "where", "--url", url).out
    assert re.search(r"^a +1 +message of user +Where is my \\x1b\[2J parcel of a\?", found, re.M)
    assert re.search(r"^b +2 +answer +Where is my parcel\? - In Lyon\.", found, re.MULTILINE)
    assert len(found.splitlines()) == 4
    only = run_cli("search", "parcel", "--session", "b", "--json", "--url", url).out.splitlines()
    assert {json.loads(line)["kind"] for line in only} == {"messages", "qa"}
    first = run_cli("search", "parcel", "--limit", "1", "--url", url).out
    assert (len(first.splitlines()), first.endswith("and more; see --limit\n")) == (3, True)
    assert run_cli("search", "lyon", "--tenant", "t", "--url", url).out == "nothing found\n"


def test_show_lists_sessions_by_status(url: str) -> None:
    run_cli("append", "even", "session.closed", "{}", "--url", url)
    listed = run_cli("show", "--status", "closed", "--url", url).out
    assert re.findall(r"^(even|odd) ", listed, re.MULTILINE) == ["even"]
    both = run_cli("show", "--status", "closed", "--status", "active", "--url", url).out
    assert sorted(re.findall(r"^(even|odd) ", both, re.MULTILINE)) == ["even", "odd"]
    assert "--status: it is for the list" in refused(url, "show", "odd", "--status", "closed")


@pytest.mark.parametrize("of", [["odd"], []])
def test_tail_new_prints_only_what_comes(
    url: str, of: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()
    first = Follower.__next__

    def follow(follower: Follower) -> object:
        began.set()
        return first(follower)

    def write() -> None:
        began.wait(30)
        with Ledger.open(url) as ledger:
            ledger.append("odd", NewEvent({"n": 2}, "note"))

    monkeypatch.setattr(Follower, "__next__", follow)
    writer = threading.Thread(target=write)
    writer.start()
    done = run_cli("tail", *of, "--new", "--count", "1", "--json", "--url", url)
    writer.join()
    assert json.loads(done.out)["data"] == {"n": 2}


def test_tail_new_begins_nowhere_else(url: str) -> None:
    for other in (["--cursor", "x"], ["odd", "--after", "1"]):
        assert "--new: it says where to begin" in refused(url, "tail", "--new", *other)
    assert "from its beginning" in run_cli("tail", "--help").out


def test_times_are_said_to_be_utc(url: str) -> None:
    assert "recorded (UTC)" in run_cli("read", "odd", "--url", url).out
    assert "last activity (UTC)" in run_cli("show", "--url", url).out
    shown = run_cli("show", "odd", "--url", url).out
    assert len(re.findall(r"^(?:created|last activity) .* UTC *$", shown, re.MULTILINE)) == 2
    assert re.match(r"\d\d:\d\d:\d\dZ  odd  1 ", run_cli("tail", "--count", "1", "--url", url).out)


def test_one_is_said_in_the_singular(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/one.db", str(tmp_path / "one.jsonl")
    run_cli("append", "s", "note", "{}", "--url", url)
    assert run_cli("verify", "--url", url).out == ("1 event in 1 session verified, findings: 0\n")
    assert run_cli("export", file, "--url", url).err == "exported 1 event\n"
    other = ("import", file, "--url", f"sqlite:///{tmp_path}/other.db")
    assert run_cli(*other).out == "Imported 1 event; 0 were there already.\n"
    assert run_cli(*other).out == "Nothing new: all 1 event was there already.\n"


def test_the_version_is_that_of_what_is_installed() -> None:
    done = run_cli("--version")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"agent-session-ledger \d+\.\d+\.\d+\S*\n", done.out)


def test_the_help_lists_each_command_once_in_the_order_of_use() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    known = [one.name or one.callback.__name__ for one in app.registered_commands if one.callback]
    assert sorted(listed) == sorted(known)
    written = re.findall(r"^  ([a-z][\w-]*) ", run_cli("--help").out, re.MULTILINE)
    assert written == listed
    assert written[:4] == ["init", "append", "read", "show"]
