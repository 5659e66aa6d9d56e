"""What readers cost with ten thousand sessions, with a hundred thousand and with a million.

Pages and single rows cost much the same. What looks at every session that matches, which is what
counting is, is measured per session.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psycopg
import pytest

from ledger import Ledger, NewEvent
from projections import QA, SESSIONS, Views
from projections.backends import open_views
from projections.engine.folding import Change
from projections.engine.tables import Table
from projections.folds.anomalies import Anomaly
from tests.bench.harness import NAMES, Report, alternate
from tests.bench.sizes import Sizes

STATUSES = ("active", "idle", "processing", "paused", "completed", "cancelled", "failed", "closed")
PAGE = 20
PER_AGENT = 40
PER_RARE_WORD = 10
MARKED_EVERY = 10
FILLED_AT_ONCE = 20_000
#: What is found at the bottom of trees that are a third higher; the rest is noise.
PAGE_TARGET = 0.5
#: Per session: the same, if the cache of the machine held a million as it does ten thousand.
EACH_TARGET = 0.4
Reads = Callable[[Views, int], object]

#: What is asked of the views of so many sessions, by a number that differs from call to call.
PAGES: dict[str, Reads] = {
    "a session by id": lambda views, n: views.session(name(n)),
    "newest of a status": lambda views, n: views.sessions(status=STATUSES[n % 8], limit=PAGE),
    "sessions of an agent": lambda views, n: views.sessions(agent_id=agent(n), limit=PAGE),
    "count of an agent": lambda views, n: views.count_sessions(agent_id=agent(n)),
    "stats of an agent": lambda views, n: views.session_stats(agent_id=agent(n)),
    "search of a rare word": lambda views, n: views.search(f"word{n // PER_RARE_WORD}", limit=PAGE),
    "search of a common word": lambda views, n: views.search("common", limit=PAGE),
    "search in a session": lambda views, n: views.search("common", session_id=name(n)),
    "anomalies of a session": lambda views, n: views.anomalies(name(n - n % MARKED_EVERY)),
    "anomalies of a tenant": lambda views, n: views.anomalies(limit=PAGE),
    "anomalies further on": lambda views, n: views.anomalies_page(
        limit=PAGE, cursor=views.anomalies_page(limit=PAGE).cursor
    ),
}
EACH: dict[str, Reads] = {
    "count of all": lambda views, n: views.count_sessions(),
    "count of a status": lambda views, n: views.count_sessions(status="idle"),
    "stats of all": lambda views, n: views.session_stats(),
}


def name(n: int) -> str:
    return f"session-{n:07}"


def agent(n: int) -> str:
    return f"agent-{n // PER_AGENT}"


def rows(sessions: Table, questions: Table, views: Views, count: int) -> Iterator[tuple[Any, Any]]:
    """Yield the rows of so many sessions, made of the one that is there."""
    session, question = views.session("first"), views.qa("first")[0]
    assert session is not None
    stray = Anomaly(sequence=1, type="qa.deleted", reason="there is none")
    replace = msgspec.structs.replace
    for n in range(count):
        at = session.created_at + timedelta(seconds=n)
        marked = n % MARKED_EVERY == 0
        one = replace(
            session,
            session_id=name(n),
            status=STATUSES[n % 8],
            agent_id=agent(n),
            created_at=at,
            last_activity_at=at,
            anomalies=(stray,) if marked else (),
            anomaly_count=int(marked),
        )
        text = f"a common question with word{n // PER_RARE_WORD}"
        asked = replace(question, session_id=name(n), question=text, created_at=at)
        yield sessions.encode(one), questions.encode(asked)


def fill(ledger: Ledger, views: Views, count: int) -> None:
    """Store the rows as the projector does, without the events that they would come from."""
    ledger.append(
        "first",
        [
            NewEvent({"status": "active"}, "session.created"),
            NewEvent({"question": "", "answer": "", "qa_id": "q"}, "qa.recorded"),
        ],
    )
    views.catch_up()
    tables = Table(SESSIONS), Table(QA)
    storage = open_views(ledger.backend)
    places = {table: views.positions(table.projection.name) for table in tables}
    made = rows(*tables, views, count)
    while some := list(islice(made, FILLED_AT_ONCE)):
        by_bucket: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
        for pair in some:
            by_bucket[ledger.door.bucket(*tables[0].key_of_row(pair[0]))].append(pair)
        for bucket, pairs in by_bucket.items():
            changes = [
                Change(table, places[table][bucket], places[table][bucket], list(found))
                for table, found in zip(tables, zip(*pairs, strict=True), strict=True)
            ]
            assert storage.store(bucket, changes, durable=False)


@contextmanager
def filled(kind: str, place: str, count: int) -> Iterator[Views]:
    """Views of so many sessions."""
    with Ledger.open(place) as ledger:
        views = Views(ledger)
        fill(ledger, views, count)
        if kind == "postgres":
            with psycopg.connect(place, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        else:
            apsw.Connection(place.removeprefix("sqlite:///")).execute("ANALYZE")
        yield views


@pytest.fixture
def several(
    kind: str, sizes: Sizes, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Sequence[tuple[int, Views]]]:
    """Views of three numbers of sessions, beside each other."""
    with ExitStack() as stack:
        found = []
        for count in sizes.listed:
            if kind == "postgres":
                server = request.getfixturevalue("postgres_server")
                place = stack.enter_context(server.temporary_database())
            else:
                place = f"sqlite:///{tmp_path}/{count}.db"
            found.append((count, stack.enter_context(filled(kind, place, count))))
        yield found


def reading(read: Reads, views: Views, count: int, times: int, worth: int) -> Callable[[], int]:
    """Return a round of reads, here and there among all sessions."""
    numbers = cycle(range(0, count, max(1, count // 97)))

    def work() -> int:
        for _ in range(times):
            assert read(views, next(numbers))
        return times * worth

    return work


def test_readers_beside_ever_more_sessions(
    kind: str, several: Sequence[tuple[int, Views]], sizes: Sizes, report: Report
) -> None:
    small, least = several[0]
    for asked, read in (PAGES | EACH).items():
        each = asked in EACH
        times = 1 if each else 2 * sizes.lists
        for count, views in several[1:]:
            report(
                alternate(
                    f"{asked} at {count:,}, {NAMES[kind]}",
                    f"at {small:,}",
                    reading(read, views, count, times, count if each else 1),
                    reading(read, least, small, times, small if each else 1),
                    rounds=min(3, sizes.rounds) if each else sizes.rounds,
                    target=EACH_TARGET if each else PAGE_TARGET,
                    unit="sessions/s" if each else "reads/s",
                )
            )
