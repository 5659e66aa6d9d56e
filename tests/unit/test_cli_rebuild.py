"""`ledger rebuild`: what it says, what it refuses, and its exit codes."""

import re
from pathlib import Path

import pytest

from ledger import Ledger
from projections import Views
from tests.support.cli import Done, run_cli
from tests.support.rebuilds import V1, V2
from tests.support.views import counted

OWN = ("--projections", "tests.support.rebuilds:V1", "--projections", "tests.support.rebuilds:V2")
POISONED = ("--projections", "tests.support.rebuilds:V1", "--projections")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with ten events, and version 1 of a view of them."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        for number in range(5):
            ledger.append(f"s{number}", [counted(), counted("y")])
        Views(ledger, projections=[V1]).catch_up()
    return url


def rebuild(url: str, *options: str) -> Done:
    return run_cli("rebuild", "tally", "--url", url, *options)


def test_it_builds_compares_and_switches(url: str) -> None:
    done = rebuild(url, *OWN, "--compare", "--switch")
    assert (done.code, done.err) == (0, "")
    built, compared, switched = done.out.splitlines()
    assert built.startswith("10 events folded in 0.")
    assert built.endswith("version 2 of tally is built.")
    assert compared.startswith("version 1: 10 rows, ")
    assert compared.endswith("differing rows: 0")
    assert switched == "Readers read version 2 of tally now."
    with Ledger.open(url) as ledger:
        [_, second] = Views(ledger, projections=[V1, V2]).versions()
    assert (second.version, second.active) == (2, True)


def test_a_terminal_is_shown_how_far_it_is(url: str) -> None:
    done = run_cli("rebuild", "tally", "--url", url, *OWN, tty=True)
    assert done.code == 0
    assert "tally v2" in done.err
    assert "10/10 events" in done.err
    assert re.search(r" [\d,]+/s ", done.err)
    assert "0.0 s left" in done.err


def test_a_difference_is_shown_and_nothing_is_switched(url: str) -> None:
    done = rebuild(url, *POISONED, "tests.support.rebuilds:DOUBLED2", "--compare", "--switch")
    assert done.code == 1
    assert "differing rows: 10" in done.out
    assert "s0 x" in done.out
    with Ledger.open(url) as ledger:
        [first] = Views(ledger, projections=[V1]).versions()[:1]
    assert first.active


def test_an_event_at_which_the_fold_fails_is_named(url: str) -> None:
    done = rebuild(url, *POISONED, "tests.support.rebuilds:POISONED2", "--switch")
    assert done.code == 4
    assert "version 2 of tally is not built yet." in done.out
    assert "stopped in bucket 0 at position 2, event" in done.err
    assert "ZeroDivisionError" in done.err


def test_a_version_that_other_code_began_is_not_switched_to(url: str) -> None:
    rebuild(url, *POISONED, "tests.support.rebuilds:POISONED2")
    mended = (*POISONED, "tests.support.rebuilds:SAME2", "--switch")
    done = rebuild(url, *mended)
    assert done.code == 1
    assert "version 2 of tally is built." in done.out
    assert "Other code has begun version 2 of projection tally" in done.err
    assert "`ledger drop tally 2`" in done.err
    with Ledger.open(url) as ledger:
        [first] = Views(ledger, projections=[V1]).versions()[:1]
    assert first.active
    # What was made of the events before the poison is the same.
    done = rebuild(url, *mended, "--compare")
    assert done.code == 0
    assert "Readers read version 2 of tally now." in done.out


def test_the_version_that_is_read_is_not_made_anew_in_its_place(url: str) -> None:
    done = rebuild(url, *OWN, "--version", "1")
    assert done.code == 2
    assert "give the projection the next version number" in done.err


def test_a_log_that_was_never_folded_is(url: str) -> None:
    done = run_cli("rebuild", "sessions", "--url", url)
    assert done.code == 0
    assert done.out.startswith("10 events folded")


def test_processes_that_would_bring_nothing_are_not_started(url: str) -> None:
    done = rebuild(url, *OWN, "--processes", "4")
    assert (done.code, done.err) == (0, "This ledger has 1 bucket: 1 process at work.\n")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--projections", "tests.support.rebuilds:nothing"), "has no attribute 'nothing'"),
        (("--projections", "tests.no_module:X"), "No module named 'tests.no_module'"),
        (
            ("--projections", "tests.support.rebuilds:Tally2"),
            "is no Projection and no list of them",
        ),
        (("--version", "7", *OWN), "version 7 of tally is not known here"),
        ((), "there is no projection 'tally'; there are allowed_actions,"),
        ((*OWN, "--events-per-second", "-1"), "above 0"),
    ],
)
def test_what_cannot_be_is_refused(url: str, options: tuple[str, ...], problem: str) -> None:
    done = rebuild(url, *options)
    assert done.code == 2
    assert problem in done.err
