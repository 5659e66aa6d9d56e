"""The command line on terminals of other encodings, and with streams that are closed."""

import json
from pathlib import Path

import pytest

from ledger import Ledger, NewEvent
from tests.support.cli import run_cli

TEXT = "Grüße, 会话, привет 😀 ☃"
ENCODINGS = ["ascii", "latin-1", "cp1252", "koi8-r", "gbk", "utf-8"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    name = f"sqlite:///{tmp_path}/ledger.db"
    asked = {"qa_id": "q", "question": TEXT, "answer": TEXT * 20}
    with Ledger.open(name) as ledger:
        ledger.append("s", NewEvent({"agent_id": TEXT, "label": TEXT}, "session.created"))
        ledger.append("s", NewEvent({"error_message": TEXT}, "run.failed", run_id=TEXT))
        ledger.append("s", [NewEvent(asked, "qa.recorded"), NewEvent({"x": TEXT}, "odd")])
    return name


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("tty", [False, True])
def test_tables_show_what_an_encoding_has_and_escape_the_rest(
    url: str, encoding: str, tty: bool
) -> None:
    for arguments in (
        ["show"], ["show", "s"], ["read", "s"], ["tail", "--count", "3"], ["verify"],
        ["status", "--any-lag"], ["versions"], ["diff", "s", "1", "3"], ["project"],
    ):  # fmt: skip
        done = run_cli(*arguments, "--url", url, encoding=encoding, tty=tty)
        assert (done.code, "Traceback" in done.err) == (0, False), done
    shown = run_cli("show", "--url", url, encoding=encoding).out
    assert TEXT.encode(encoding, "backslashreplace").decode(encoding) in shown


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-16"])
def test_json_is_the_same_in_every_encoding(url: str, encoding: str) -> None:
    for arguments, field in (
        (["read", "s"], "data"), (["tail", "--count", "4"], "data"), (["diff", "s", "1", "3"], "after"),
        (["status", "--any-lag"], "views"), (["versions"], "projection"),
    ):  # fmt: skip
        call = (*arguments, "--json", "--url", url)
        told = [json.loads(line) for line in run_cli(*call, encoding=encoding).out.splitlines()]
        assert told
        if field != "views":  # which tells seconds
            assert told == [json.loads(line) for line in run_cli(*call).out.splitlines()]
        assert all(field in one for one in told)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_errors_are_one_line_in_every_encoding(url: str, encoding: str) -> None:
    for tty in (False, True):
        done = run_cli("show", TEXT, "--url", url, encoding=encoding, tty=tty)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert TEXT.encode(encoding, "backslashreplace").decode(encoding) in done.err


def test_an_export_is_utf_8_in_every_encoding(url: str) -> None:
    done = run_cli("export", "--url", url, encoding="latin-1")
    assert done.out.encode("latin-1") == run_cli("export", "--url", url).out.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["init"], ["show"], ["show", "s"], ["read", "s"], ["read", "s", "--json"], ["verify"],
        ["tail", "--count", "1"], ["tail", "--count", "1", "--json"], ["project"], ["versions"],
        ["status", "--any-lag"], ["status", "--any-lag", "--json"], ["diff", "s", "1", "3"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdin", "stdout", "stderr"]])
def test_a_closed_stream_takes_nothing_and_stops_nothing(
    url: str, arguments: list[str], closed: list[str]
) -> None:
    open_ = run_cli(*arguments, "--url", url)
    done = run_cli(*arguments, "--url", url, closed=closed)
    assert done.code == 0
    assert bool(done.out) == (bool(open_.out) and "stdout" not in closed)


@pytest.mark.parametrize(
    ("closed", "err"), [(["stdout"], 1), (["stderr"], 0), (["stdout", "stderr"], 0)]
)
def test_an_error_is_never_told_among_the_results(url: str, closed: list[str], err: int) -> None:
    done = run_cli("show", "nobody", "--url", url, closed=closed)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", err)


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        (["export"], "stdout"),
        (["import", "-"], "stdin"),
        (["append", "s", "note", "-"], "stdin"),
    ],
)
def test_what_goes_through_a_closed_stream_is_refused(
    url: str, arguments: list[str], closed: str
) -> None:
    done = run_cli(*arguments, "--url", url, closed=[closed])
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{closed} is closed" in done.err
