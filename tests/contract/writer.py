"""A process that appends: python -m tests.contract.writer URL NAME THREADS APPENDS EVENTS.

Every thread appends batches to the shared session "s" and to one of its own. With APPENDS 0 it
goes on until it is killed. What goes wrong ends the process with a traceback.
"""

import sys
from functools import partial
from itertools import count

from ledger import Ledger
from tests.support.builders import note, together


def write(ledger: Ledger, name: str, appends: int, events: int) -> None:
    for number in range(appends) if appends else count():
        texts = [f"{name} {number} {event}" for event in range(events)]
        ledger.append("s", [note(text, event_id=text) for text in texts])
        ledger.append(name, [note(text, event_id=text) for text in texts])


def main(url: str, name: str, threads: int, appends: int, events: int) -> None:
    with Ledger.open(url) as ledger:
        names = [f"{name}.{thread}" for thread in range(threads)]
        for outcome in together([partial(write, ledger, one, appends, events) for one in names]):
            if isinstance(outcome, Exception):
                raise outcome


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
