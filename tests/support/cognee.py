"""What the tests of the question-and-answer store are written with."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.session_stores.qa import (
    AsyncCogneeCache,
    AsyncQALifecycle,
    AsyncQAStore,
    CogneeCache,
    QALifecycle,
    QAStore,
    SessionContextEntry,
    SessionTraceStep,
)
from tests.support.blocking import Blocking

#: Every backend and both styles, but not every pair: what a plan does is the same for both faces,
#: and the tests of the rules and of eight at once do run on all pairs.
each_backend = pytest.mark.parametrize(
    ("url", "loop"),
    [("memory", "sync"), ("sqlite", "async"), ("postgres", "sync")],
    indirect=True,
)
each_backend_crossed = pytest.mark.parametrize(
    ("url", "loop"),
    [("memory", "async"), ("sqlite", "sync"), ("postgres", "async")],
    indirect=True,
)
START = datetime(2026, 1, 1, tzinfo=UTC)
DATASET = "0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let some seconds pass."""
        self.now += timedelta(seconds=seconds)


def store_of(ledger: Any, **options: Any) -> Any:
    """Open the store of a ledger of either style."""
    if isinstance(ledger, Blocking):
        return Blocking(AsyncQAStore(ledger._target, **options), ledger._loop)
    return QAStore(ledger, **options)


def lifecycle_of(store: Any, **options: Any) -> Any:
    """Open the lifecycle of a store of either style."""
    if isinstance(store, Blocking):
        return Blocking(AsyncQALifecycle(store._target, **options), store._loop)
    return QALifecycle(store, **options)


def cache_of(store: Any) -> Any:
    """Open a store of either style under the names of Python's caches."""
    if isinstance(store, Blocking):
        return Blocking(AsyncCogneeCache(store._target), store._loop)
    return CogneeCache(store)


def asked(store: Any, *questions: str, session: str = "s", **options: Any) -> list[str]:
    """Record answers to some questions and return their ids."""
    return [
        store.create_qa_entry(session, question, f"answer to {question}", **options).id
        for question in questions
    ]


def questions(entries: Iterable[Any]) -> list[str]:
    """Return the questions of entries, in order."""
    return [entry.question for entry in entries]


def step(function: str = "search", **fields: Any) -> SessionTraceStep:
    """Return a step that went well, without an id of its own."""
    return SessionTraceStep(origin_function=function, **({"status": "success"} | fields))


def lesson(content: str = "Be brief.", **fields: Any) -> SessionContextEntry:
    """Return a piece of guidance for answering questions."""
    said = {"section": "rules", "context_profile": "qa", "content": content}
    return SessionContextEntry(**(said | fields))


#: Every read of a session, with what it returns of one that is not there.
READS: dict[str, tuple[Callable[..., Any], Any]] = {
    "latest": (lambda store, key, **who: store.get_latest_qa_entries(key, **who), []),
    "all": (lambda store, key, **who: store.get_all_qa_entries(key, **who), []),
    "by ids": (lambda store, key, **who: store.get_qa_entries_by_ids(key, ["qa"], **who), []),
    "latest id": (lambda store, key, **who: store.latest_qa_id(key, **who), None),
    "graph": (lambda store, key, **who: store.get_graph_context(key, **who), None),
    "steps": (lambda store, key, **who: store.read_trace_steps(key, **who), []),
    "feedback": (lambda store, key, **who: store.read_trace_feedback(key, **who), []),
    "count": (lambda store, key, **who: store.count_trace_steps(key, **who), 0),
    "context": (lambda store, key, **who: store.get_session_context(key, **who), []),
    "history": (lambda store, key, **who: store.history(key, **who), []),
    "recall": (lambda store, key, **who: store.recall(key, "question", **who), []),
}


def filled(store: Any, key: str = "s", **who: Any) -> None:
    """Write a fact of every kind into a session: its ids are qa, st, c."""
    store.create_qa_entry(key, "question", "answer", qa_id="qa", **who)
    store.save_trace_step(key, step(trace_id="st", session_feedback="fine"), **who)
    store.create_session_context(key, lesson(id="c"), **who)
    store.set_graph_context(key, "a -> b", **who)


def read_all(store: Any, key: str = "s", **who: Any) -> dict[str, Any]:
    """Return what every read of a session answers."""
    return {name: read(store, key, **who) for name, (read, _) in READS.items()}


#: What every read answers of a session that is not there.
NOTHING = {name: nothing for name, (_, nothing) in READS.items()}
