"""What child processes do that fold views; see workers."""

from multiprocessing.connection import Connection

from ledger import Ledger
from projections import SESSIONS, Daemon
from tests.support.views import TALLY

#: Two that want every event and some of them; the tally notices what is folded twice or not at all.
FOLDED = (SESSIONS, TALLY)


def fold(url: str, batch_events_max: int, pipe: Connection) -> None:
    """Fold until killed; says when the ledger is open."""
    with Ledger.open(url) as opened:
        daemon = Daemon(opened, projections=FOLDED, batch_events_max=batch_events_max)
        pipe.send("open")
        daemon.watch()
