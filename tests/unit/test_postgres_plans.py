"""Plans of the PostgreSQL backend: every hot statement goes by its index, and none sorts."""

import psycopg
import pytest

from ledger.backends.postgres import PostgresBackend
from ledger.digests import bucket_of
from tests.support.postgres_units import BUCKETS, hot_calls


class Explained:
    """Reads the plans that the backend's own connection executes."""

    def __init__(self, backend: PostgresBackend) -> None:
        self.plans: list[str] = []
        backend.positions()
        [connection] = backend._database._parked  # one caller at a time uses always the same one
        connection.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_nested_statements": "on",
            "auto_explain.log_level": "notice",
        }.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.add_notice_handler(self._note)

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # The statement itself comes first; it names every table, and no index.
        self.plans.append((diagnostic.message_primary or "").split("\n(cost", 1)[-1])


def check_plans(backend: PostgresBackend, explained: Explained) -> None:
    for name, (call, allowed) in hot_calls(backend).items():
        explained.plans.clear()
        call()
        text = "\n".join(explained.plans)
        used = {index for index in EVENT_INDEXES if f"using {index} " in text}
        assert text
        assert used <= allowed, f"{name}: {text}"
        for node in ("Seq Scan", "Sort ", "Sort\n", "Bitmap", "Hash Join", "Merge Join"):
            assert node not in text, f"{name}: {text}"


EVENT_INDEXES = (
    *("events_pkey", "events_sequence", "events_event_id"),
    *("events_deleted", "events_redacted"),
)
FILL = """
    INSERT INTO ledger.events
    SELECT %(bucket)s, 1000 + n, '', 's' || n %% 100, 1000 + n, 'filled-' || n, 'test.happened', 1, NULL,
        1, 1, NULL, NULL, NULL, NULL, NULL, '{}', '', '', '', '', sha256(int4send(n))
    FROM generate_series(1, 50000) AS n
"""


@pytest.mark.parametrize("analyzed", [False, True])
def test_plans_made_on_empty_tables_stay_on_their_indexes(
    backend: PostgresBackend, postgres_url: str, analyzed: bool
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        # Now the planner believes that the table is empty, instead of assuming ten pages.
        admin.execute("VACUUM ANALYZE ledger.events")
        explained = Explained(backend)
        check_plans(backend, explained)
        admin.execute(FILL, {"bucket": bucket_of("", "s", BUCKETS)})
        if analyzed:
            admin.execute("VACUUM ANALYZE ledger.events")
        check_plans(backend, explained)
