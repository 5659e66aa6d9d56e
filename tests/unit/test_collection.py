"""The collecting of tests, for which the garbage collector stands still."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTED = """
import gc
from tests.conftest import pytest_collection

class Lost:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("gone")

collection = pytest_collection()
next(collection)
assert not gc.isenabled()
Lost()
try:
    collection.send(None)
except StopIteration:
    print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


def test_what_is_lost_while_tests_are_collected_is_not_kept_for_ever() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", COLLECTED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.split() == ["gone", "True", "True"]
