"""An event loop that ended amid an append: who comes behind it goes on."""

import subprocess
import sys
from pathlib import Path

from tests.support.builders import DEADLINE_S

# In a process of its own, as what such a loop leaves is told as it is thrown away.
PROGRAM = """
import asyncio, sys
from ledger import AsyncLedger, NewEvent

ledger = asyncio.run(AsyncLedger.open(sys.argv[1]))
ended = asyncio.new_event_loop()
left = ended.create_task(ledger.append("s", NewEvent({}, "note")))
ended.call_later(0, ended.stop)
ended.run_forever()
ended.close()


async def again():
    async with asyncio.timeout(float(sys.argv[2])):
        print((await ledger.append("t", NewEvent({}, "note"))).sequence)
        await ledger.close()


asyncio.run(again())
"""


def test_who_comes_behind_a_loop_that_ended_amid_an_append_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path}/l.db", str(DEADLINE_S)],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1\n")
