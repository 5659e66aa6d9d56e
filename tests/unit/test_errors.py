"""Errors as texts: the problem, and behind it what to do next, wherever it can be told."""

import subprocess
import sys

from ledger import SequenceConflict

CONFLICT = "from ledger import SequenceConflict; print(SequenceConflict('', 's', 0, 1), end='')"
PROBLEM = "Session 's' is at sequence 1, 0 was expected."


def test_a_message_ends_with_what_to_do_next() -> None:
    said = str(SequenceConflict("", "s", 0, 1))
    assert said.startswith(f"{PROBLEM} Nothing was stored: ")
    assert "  " not in said


def test_without_docstrings_a_message_is_the_problem_alone() -> None:
    call = [sys.executable, "-OO", "-c", CONFLICT]
    ran = subprocess.run(call, capture_output=True, text=True, check=True)
    assert ran.stdout == PROBLEM
