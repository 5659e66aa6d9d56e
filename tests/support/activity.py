"""What a PostgreSQL server is doing in a database, as one of its other connections sees it."""

from typing import LiteralString

import psycopg


def connections(url: str, condition: LiteralString) -> int:
    """Return how many connections to the database fit a condition on their row of activity."""
    with psycopg.connect(url) as observer:
        row = observer.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
            + condition
        ).fetchone()
    return int(row[0]) if row else 0
