"""Session stores on a ledger, against a table of documents and against the log itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import apsw
import psycopg
import pytest
from msgspec.structs import replace

from ledger import Ledger
from projections.session_stores.conversation import ConversationStore
from projections.session_stores.orchestrator import EventRecord, OrchestratorStore, SessionRecord
from projections.session_stores.qa import QAStore, SessionQAUpdate
from projections.session_stores.snapshot import AgentSession, ChatMessage, SessionId, SnapshotStore
from tests.bench.harness import NAMES, Comparison, Report, alternate
from tests.bench.raw_documents import RawDocuments
from tests.bench.sizes import Sizes
from tests.bench.workload import BATCH, events, payload
from tests.support.conversations import SCENARIO, TENANT, standing

#: Of a session's whole document, which is what the table by hand keeps.
DOCUMENT_BYTES = 1_500


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger."""
    with Ledger.open(url) as opened:
        yield opened


@pytest.fixture
def documents(url: str) -> Iterator[RawDocuments]:
    """The table by hand, in the same database."""
    opened = RawDocuments(url)
    yield opened
    opened.close()


Pair = tuple[Callable[[], object], Callable[[], object]]


def conversations(ledger: Ledger) -> Pair:
    """Save a conversation of which one field was changed, and get it."""
    store = ConversationStore(ledger, tenant_id=TENANT)
    session = standing()
    store.save(session)

    def save() -> None:
        session.turn_count += 1
        store.save(session)

    return save, lambda: store.get(session.session_id)


def orchestrator(ledger: Ledger) -> Pair:
    """Save a session's record of which one field was changed, and get it."""
    store = OrchestratorStore(ledger)
    record = SessionRecord(id="live", agent_id="support", status="active")
    store.save_session(record)
    numbers = count()

    def save() -> None:
        store.save_session(replace(record, context={"number": next(numbers)}))

    return save, lambda: store.get_session("live")


def snapshots(ledger: Ledger) -> Pair:
    """Save a session that was said something to, and load it."""
    store = SnapshotStore(ledger)
    held = [store.save(AgentSession(id=SessionId("live")))]
    numbers = count()

    def save() -> None:
        said = held[0].with_message(ChatMessage.user(f"And now? {next(numbers)}"))
        held[0] = store.save(said.trimmed(5))

    return save, lambda: store.load("live")


def questions(ledger: Ledger) -> Pair:
    """Change one field of an answered question, and get it."""
    store = QAStore(ledger)
    entry = store.create_qa_entry("live", "Where is Lyon?", "In France.")
    numbers = count()

    def save() -> None:
        store.update_qa_entry("live", entry.id, SessionQAUpdate(context=f"map {next(numbers)}"))

    return save, lambda: store.history("live")


STORES = [conversations, orchestrator, snapshots, questions]


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_a_save_of_one_changed_field(
    kind: str,
    ledger: Ledger,
    documents: RawDocuments,
    store: Callable[[Ledger], Pair],
    sizes: Sizes,
    report: Report,
) -> None:
    save, _ = store(ledger)
    document = '{"text": "' + "x" * DOCUMENT_BYTES + '"}'
    numbers = count()

    def ours() -> int:
        before = sum(ledger.backend.positions())
        for _ in range(sizes.singles):
            save()
        assert sum(ledger.backend.positions()) >= before + sizes.singles  # or nothing was saved
        return sizes.singles

    def baseline() -> int:
        for _ in range(sizes.singles):
            documents.save("live-session", "active", next(numbers), document)
        return sizes.singles

    report(
        alternate(
            f"save, one field changed, {store.__name__}, {NAMES[kind]}",
            "upsert of a row with the whole document",
            ours,
            baseline,
            rounds=min(5, sizes.rounds),
            target=1 / 3,
            unit="saves/s",
        )
    )


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_a_get(
    kind: str,
    ledger: Ledger,
    documents: RawDocuments,
    store: Callable[[Ledger], Pair],
    sizes: Sizes,
    report: Report,
) -> None:
    _, get = store(ledger)
    documents.save("live-session", "active", 1, '{"text": "' + "x" * DOCUMENT_BYTES + '"}')

    def ours() -> int:
        for _ in range(sizes.singles):
            assert get()
        return sizes.singles

    def baseline() -> int:
        for _ in range(sizes.singles):
            assert documents.get("live-session")
        return sizes.singles

    report(
        alternate(
            f"get, {store.__name__}, {NAMES[kind]}",
            "SELECT of a row with the whole document",
            ours,
            baseline,
            rounds=min(5, sizes.rounds),
            target=1 / 3,
            unit="gets/s",
        )
    )


def tool_call(number: int) -> dict[str, Any]:
    """Return the result of a tool call as an orchestrator tells it."""
    told = payload(number)
    return {"tool_call_id": told.pop("call_id"), **told}


#: What the ledger keeps as a fact that every view shows, and what it keeps as it is.
BATCHES: dict[str, list[dict[str, Any]]] = {
    "tool_call_completed": [tool_call(number) for number in range(BATCH)],
    "turn_completed": [payload(number) for number in range(BATCH)],
}


@pytest.mark.parametrize("type", BATCHES)
def test_append_events_of_a_batch(
    kind: str, ledger: Ledger, type: str, sizes: Sizes, report: Report
) -> None:
    store = OrchestratorStore(ledger)

    def ours() -> int:
        for _ in range(sizes.batches):
            store.append_events(
                [EventRecord(session_id="live", type=type, data=one) for one in BATCHES[type]]
            )
        return sizes.batches * BATCH

    def baseline() -> int:
        for _ in range(sizes.batches):
            ledger.append("raw", events(BATCH))
        return sizes.batches * BATCH

    report(
        alternate(
            f"append_events of {BATCH} ({type}), {NAMES[kind]}",
            "the log's append of a batch",
            ours,
            baseline,
            rounds=sizes.rounds,
            target=1 / 1.5,
        )
    )


FOUND = 20
COPIES = {
    "postgres": "generate_series(1, {n}) AS s (n)",
    "sqlite": (
        "(WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < {n})"
        " SELECT n FROM r) AS s"
    ),
}


def crowd(kind: str, connection: Any, count: int) -> None:
    """Let many more sessions stand at other steps, in the view that steps are found in."""
    schema = "ledger." if kind == "postgres" else ""
    asked = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.view_scenarios_v1'::regclass"
        " AND attnum > 0 AND NOT attisdropped"
        if kind == "postgres"
        else "SELECT name FROM pragma_table_info('view_scenarios_v1')"
    )
    names = [name for (name,) in connection.execute(asked).fetchall()]
    changed = {"session_id": "'other-' || s.n", "step_content_hash": "'hash-' || (s.n % 5000)"}
    connection.execute(
        f"INSERT INTO {schema}view_scenarios_v1 ({', '.join(names)})"
        f" SELECT {', '.join(changed.get(name, 'v.' + name) for name in names)}"
        f" FROM (SELECT * FROM {schema}view_scenarios_v1 LIMIT 1) AS v"
        f" CROSS JOIN {COPIES[kind].format(n=count)}"
    )
    connection.execute("VACUUM ANALYZE ledger.view_scenarios_v1" if schema else "ANALYZE")


@pytest.fixture
def second(kind: str, url: str) -> Iterator[Ledger]:
    """Another ledger on the same database, in which there is little."""
    beside = f"{url}-beside" if kind == "sqlite" else url
    with Ledger.open(beside, **({} if kind == "sqlite" else {"schema": "beside"})) as opened:
        yield opened


def test_finding_by_step_hash_among_many(
    kind: str, url: str, ledger: Ledger, second: Ledger, sizes: Sizes, report: Report
) -> None:
    big, small = (ConversationStore(one, tenant_id=TENANT) for one in (ledger, second))
    for number in range(FOUND):
        for store in (big, small):
            store.save(standing(100 + number))

    def cost_us(store: ConversationStore) -> float:
        start = time.perf_counter()
        for _ in range(sizes.lists):
            assert len(store.find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash 1")) == FOUND
        return (time.perf_counter() - start) * 1_000_000 / sizes.lists

    cost_us(big)
    connection: Any
    if kind == "postgres":
        connection = psycopg.connect(url, autocommit=True)
    else:
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
    crowd(kind, connection, sizes.listed[-1])
    connection.close()
    # In turns: the machine may be half as fast a minute later.
    pairs = [(cost_us(big), cost_us(small)) for _ in range(sizes.rounds)]
    many, few = zip(*pairs, strict=True)
    report(
        Comparison(
            f"find {FOUND} by step hash among {sizes.listed[-1]:,}, {NAMES[kind]}",
            f"the same among {FOUND}",
            "µs",
            many,
            few,
            target=1.5,
            at_most=True,
        )
    )
