"""One ledger on several servers: its tables, spread by bucket over a Citus cluster."""

from __future__ import annotations

from .backends import distribute_backend
from .limits import BUCKETS_MAX
from .options import OpenOptions, check_count

SHARDS_DEFAULT = 32


def distribute(
    url: str,
    *,
    schema: str = "ledger",
    shards: int = SHARDS_DEFAULT,
    connect_timeout_s: float = 10.0,
) -> bool:
    """Spread the tables of a ledger, and of its views, over the servers; False if they are already.

    `url` is that of a Citus cluster's coordinator, where the ledger is and Citus knows its workers.
    Where no ledger is yet, one is created. It is one transaction that copies all events. `shards` is
    how many parts the buckets go to, of which a server has several and Citus can move them later.
    Close the ledger in every process before, and open it again behind: they would go on with
    statements for one server. The way back is an export.

    Raises InvalidArgument for what is no cluster, and what `Ledger.open` raises.
    """
    check_count("shards", shards, BUCKETS_MAX)
    options = OpenOptions(schema=schema, connect_timeout_s=connect_timeout_s)
    return distribute_backend(url, options, shards)
