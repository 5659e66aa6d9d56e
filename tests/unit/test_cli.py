"""The command line: what each command does, and what it answers when it cannot."""

import json
import re
import sys
import threading
from pathlib import Path

import apsw
import pytest

from ledger import Ledger, NewEvent
from tests.support.cli import Done, run_cli
from tests.support.exports import forged, sealed


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def appended(url: str, session: str, *payloads: str) -> None:
    for payload in payloads:
        assert run_cli("append", session, "note", payload, "--url", url).code == 0


def refused(done: Done, code: int) -> str:
    """Return the one line that a refused command has written."""
    assert (done.code, done.err.count("\n")) == (code, 1), done
    assert "Traceback" not in done.err
    return done.err


def test_help_lists_every_command() -> None:
    done = run_cli("--help")
    listed = set(re.findall(r"^  (\w+) ", done.out, re.MULTILINE))
    assert listed >= {"init", "append", "read", "tail", "verify", "export", "import", "show"}
    assert listed >= {"project", "rebuild", "versions", "compare", "switch", "drop", "accept"}
    assert listed >= {"status", "diff", "skip", "skips"}
    assert "switch-back" in done.out


def test_init_creates_a_ledger_once(url: str) -> None:
    first, again = run_cli("init", "--url", url), run_cli("init", "--url", url)
    assert first.out == again.out
    assert first.out.endswith("buckets: 1\n")


def test_init_fixes_the_number_of_buckets(url: str) -> None:
    assert run_cli("init", "--url", url, "--buckets", "4").out.endswith("buckets: 4\n")


def test_the_url_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_URL", url)
    run_cli("append", "s", "note", "{}")
    with Ledger.open(url) as ledger:
        assert ledger.head("s") == 1


def test_append_says_what_became_of_the_event(url: str) -> None:
    call = ("append", "s", "note", '{"a":1}', "--event-id", "e", "--run-id", "r", "--url", url)
    assert run_cli(*call).out == "stored as sequence 1, event e\n"
    assert run_cli(*call).out == "already stored as sequence 1, event e\n"
    with Ledger.open(url) as ledger:
        [event] = ledger.read("s")
        assert (event.data, event.run_id) == ({"a": 1}, "r")


def test_append_reads_stdin(url: str) -> None:
    run_cli("append", "s", "note", "-", "--url", url, stdin='{"a":"ü"}'.encode())
    with Ledger.open(url) as ledger:
        assert ledger.read("s")[0].data == {"a": "ü"}


def test_a_tenant_has_sessions_of_its_own(url: str) -> None:
    run_cli("append", "s", "note", "{}", "--tenant", "t", "--url", url)
    assert run_cli("read", "s", "--url", url).out == ""
    assert "note" in run_cli("read", "s", "--tenant", "t", "--url", url).out


def test_read_prints_a_table_or_json_lines(url: str) -> None:
    appended(url, "s", '{"n":1}', '{"n":2}')
    assert re.search(r"1 .* note .*\{\"n\":1\}", run_cli("read", "s", "--url", url).out)
    lines = run_cli("read", "s", "--json", "--url", url).out.splitlines()
    assert [json.loads(line)["data"] for line in lines] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("options", "sequences"),
    [
        (["--after", "1"], [2, 3]),
        (["--before", "3"], [1, 2]),
        (["--limit", "1"], [1]),
        (["--limit", "1", "--newest-first"], [3]),
        (["--type", "other"], []),
        (["--type", "other", "--type", "note"], [1, 2, 3]),
        (["--run-id", "r"], []),
        (["--since", "2999-01-01T00:00:00Z"], []),
        (["--until", "2999-01-01 00:00:00 +02:00"], [1, 2, 3]),
    ],
)
def test_read_has_the_filters_of_the_ledger(
    url: str, options: list[str], sequences: list[int]
) -> None:
    appended(url, "s", "{}", "{}", "{}")
    done = run_cli("read", "s", "--json", "--url", url, *options)
    assert [json.loads(line)["sequence"] for line in done.out.splitlines()] == sequences


def test_read_shows_lineage_deleted_events_and_bytes(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.append("p", NewEvent(b"\xff", "blob", content_type="image/png"))
        ledger.fork("p", 1, "c")
        ledger.delete("p")
    lineage = run_cli("read", "c", "--lineage", "--deleted", "--json", "--url", url).out
    assert json.loads(lineage.splitlines()[0])["data_base64"] == "/w=="
    assert "1 byte of image/png" in run_cli("read", "p", "--deleted", "--url", url).out


def test_tail_follows_what_is_appended_meanwhile(url: str) -> None:
    appended(url, "s", '{"n":1}')

    def write() -> None:
        with Ledger.open(url) as ledger:
            ledger.append("t", NewEvent({"n": 2}, "note"))

    writer = threading.Timer(0.2, write)
    writer.start()
    done = run_cli("tail", "--count", "2", "--json", "--url", url)
    writer.join()
    assert [json.loads(line)["session_id"] for line in done.out.splitlines()] == ["s", "t"]


def test_tail_of_a_session_begins_where_it_is_told(url: str) -> None:
    appended(url, "s", '{"n":1}', '{"n":2}')
    done = run_cli("tail", "s", "--after", "1", "--count", "1", "--url", url)
    assert done.out.endswith('  2  note  {"n":2}\n')


def test_ctrl_c_ends_tail_cleanly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    appended(url, "s", "{}")
    from ledger import Follower

    first = Follower.__next__
    calls = iter([first])

    def interrupted(follower: Follower) -> object:
        for call in calls:
            return call(follower)
        raise KeyboardInterrupt

    monkeypatch.setattr(Follower, "__next__", interrupted)
    done = run_cli("tail", "--url", url)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)


def test_verify_is_silent_about_a_clean_log(url: str) -> None:
    appended(url, "s", "{}", "{}")
    done = run_cli("verify", "--url", url)
    assert (done.code, done.out) == (0, "2 events in 1 session verified, findings: 0\n")
    assert run_cli("verify", "s", "--url", url).code == 0


def test_verify_names_what_was_altered_and_exits_with_1(url: str) -> None:
    appended(url, "s", "{}", "{}")
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    connection.execute("DROP TRIGGER events_refuse_update")
    connection.execute("UPDATE events SET type = 'forged' WHERE sequence = 2")
    connection.close()
    done = run_cli("verify", "--url", url)
    assert (done.code, "event hash does not fit" in done.out) == (1, True)


def test_an_export_is_imported_elsewhere(url: str, tmp_path: Path) -> None:
    appended(url, "s", "{}", "{}")
    file, other = str(tmp_path / "log.jsonl"), f"sqlite:///{tmp_path}/other.db"
    assert run_cli("export", file, "--url", url).err == "exported 2 events\n"
    assert run_cli("export", "--url", url).out == Path(file).read_text()
    assert run_cli("import", file, "--url", other).out == (
        "Imported 2 events; 0 were there already.\n"
    )
    assert run_cli("import", "-", "--url", other, stdin=Path(file).read_bytes()).out == (
        "Nothing new: all 2 events were there already.\n"
    )
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_chats_are_imported_with_their_format(url: str, tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_text('[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]\n')
    call = ("import", str(file), "--format", "openai-chat", "--show", "--url", url)
    first, again = run_cli(*call), run_cli(*call)
    assert first.out.startswith("Imported 7 events; 0 were there already.\n")
    assert again.out.startswith("Nothing new: all 7 events were there already.\n")
    assert "Session chats" in first.out
    with Ledger.open(url) as ledger:
        assert ledger.delete("chats")
    assert run_cli(*call).out.startswith("Imported 7 events; 0 were there already.\n")


SAID = '{"messages":[{"role":"user","content":"one"}]}\n'


@pytest.mark.parametrize(
    ("wrong", "session", "says"),
    [
        ('{"messages":[{"role":"user","content":"a\\ud800"}]}', "c-00003", "payload.user_message"),
        ('{"messages":[{"role":"user","x":"%s"}]}' % ("x" * 20_000), "c-00003", "metadata: 20"),
        ('{"task_id":" ","messages":[]}', " ", "session_id: must not be empty"),
        ('{"task_id":"c-00001","messages":[]}', "c-00001", "event 'chat/session' with other"),
    ],
)
def test_a_refused_chat_is_named_with_its_line_and_those_before_it_stay(
    url: str, tmp_path: Path, wrong: str, session: str, says: str
) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(f"{SAID}\n{SAID}{wrong}\n{SAID}")
    call = ("import", str(file), "--format", "openai-chat", "--url", url)
    for _ in range(2):
        problem = refused(run_cli(*call), 2)
        assert problem.startswith(f"ledger: Line 4: session '{session}'")
        assert says in problem
        assert "earlier batches stay imported" in problem
    with Ledger.open(url) as ledger:
        assert sorted(ledger.list_session_ids().session_ids) == ["c-00001", "c-00002"]


def test_a_tenant_that_no_chat_can_have_is_no_fault_of_a_line(url: str, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(SAID)
    call = ("import", str(file), "--format", "openai-chat", "--tenant", "t" * 2_000, "--url", url)
    assert "ledger: tenant: longer than" in refused(run_cli(*call), 2)


def test_show_lists_sessions_and_shows_one(url: str) -> None:
    assert run_cli("init", "--url", url).code == 0
    assert run_cli("show", "--url", url).out == "no sessions\n"
    run_cli("append", "s", "run.started", "{}", "--run-id", "r", "--url", url)
    assert re.search(r"^s +active", run_cli("show", "--url", url).out, re.MULTILINE)
    shown = run_cli("show", "s", "--url", url).out
    assert "Session s" in shown
    assert re.search(r"^r +running", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["append", "s", "note", "{"], "payload: not JSON"),
        (["append", "s", "note", '{"a":1,"a":2}'], "duplicate key"),
        (["append", "s", "note", "[]"], "expected a JSON object"),
        (["append", "s", "note", "{}", "--expected", "3"], "3 was expected"),
        (["append", " ", "note", "{}"], "session_id: must not be empty"),
        (["append", "s", "session.forked", '{"parent":"x","at":1}'], "written by fork"),
        (["append", "s", "message.appended", "{}"], "payload.role"),
        (["read", "s", "--since", "yesterday"], "since: expected ISO 8601"),
        (["read", "s", "--since", "2020-01-01"], "since: expected a datetime with a time zone"),
        (["read", "s", "--after", "-1"], "--after: expected an int from 0"),
        (
            ["read", " "],
            "session_id: must not be empty or blank. Correct the named field; the call",
        ),
        (["show", "nobody"], "there is no session 'nobody'"),
        (["tail", "--cursor", "x"], "cursor"),
        (["import", "/nowhere.jsonl"], "/nowhere.jsonl: No such file"),
        (["import", "-", "--tenant", "t"], "tenant: an export says itself"),
        (["import", "-"], "Line 1"),
        (["import", "-", "--format", "openai-chat"], "Line 1: the file is empty"),
        (["export", "/nowhere/x.jsonl"], "No such file"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(
    url: str, arguments: list[str], says: str
) -> None:
    appended(url, "x", "{}")
    assert says in refused(run_cli(*arguments, "--url", url), 2)


@pytest.mark.parametrize("command", ["read", "tail", "show", "verify", "export"])
def test_a_command_that_reads_makes_no_file(url: str, command: str) -> None:
    arguments = ["s"] if command == "read" else []
    assert "there is no file" in refused(run_cli(command, *arguments, "--url", url), 2)
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_an_unreachable_server_is_exit_code_3() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://u:secret@127.0.0.1:1/d?connect_timeout=1"
    assert "secret" not in refused(run_cli("init", "--url", url), 3)


def test_a_foreign_file_is_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to be looked at" * 99)
    refused(run_cli("init", "--url", f"sqlite:///{tmp_path}/x.db"), 4)


def test_an_export_does_not_go_to_a_terminal(url: str) -> None:
    appended(url, "s", "{}")
    done = run_cli("export", "--url", url, tty=True)
    assert (done.code, done.out) == (2, "")


def test_a_refused_import_keeps_an_older_export_file(url: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_bytes(b"".join(sealed(forged("s", {}))[:-1]))
    assert "it was cut" in refused(run_cli("import", str(file), "--url", url), 2)


def test_the_module_can_be_run(url: str) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "projections.cli", "init", "--url", url],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.startswith("ledger ")
