"""Follow the whole log while another thread writes, stop, and go on later where it ended."""

import threading
from itertools import islice
from tempfile import TemporaryDirectory

from ledger import Ledger, NewEvent

with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/agents.db") as ledger:

    def write(session: str) -> None:
        for number in range(5):
            ledger.append(session, NewEvent({"number": number}, "step.done"))

    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for writer in writers:
        writer.start()

    with ledger.follow(types=["step.done"]) as follower:
        for event in islice(follower, 4):
            print(event.session_id, event.sequence, event.data)
        cursor = follower.cursor  # keep it wherever the results are kept

    # Another process, another day: nothing is lost and nothing comes twice.
    with ledger.follow(types=["step.done"], cursor=cursor) as follower:
        rest = list(islice(follower, 6))
    print("then", len(rest), "more")

    for writer in writers:
        writer.join()
    assert len(rest) == 6
