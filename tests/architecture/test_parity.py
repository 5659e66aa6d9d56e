"""Twins: sync and async have the same names, the same signatures and the same words."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from ledger import AsyncFollower, AsyncLedger, Follower, Ledger
from ledger.backends.base import AsyncBackend, Backend
from ledger.backends.memory import MemoryBackend
from ledger.backends.postgres import backend as postgres
from ledger.backends.postgres import backend_async as postgres_async
from ledger.backends.sqlite import SqliteBackend
from ledger.backends.threaded import ThreadedBackend
from projections import AsyncHandlers, AsyncViews, Handlers, Views
from projections.backends.base import AsyncViewBackend, ViewBackend
from projections.session_stores.conversation import AsyncConversationStore, ConversationStore
from projections.session_stores.orchestrator import (
    AsyncOrchestratorMaintenance,
    AsyncOrchestratorQueries,
    AsyncOrchestratorStore,
    OrchestratorMaintenance,
    OrchestratorQueries,
    OrchestratorStore,
)
from projections.session_stores.qa import (
    AsyncCogneeCache,
    AsyncQALifecycle,
    AsyncQAStore,
    CogneeCache,
    QALifecycle,
    QAStore,
)
from projections.session_stores.snapshot import AsyncSnapshotStore, SnapshotStore

# Where the languages differ: the dunder of the one is the dunder of the other.
DUNDERS = {
    "__iter__": "__aiter__",
    "__next__": "__anext__",
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
}
FACES = [
    (Ledger, AsyncLedger),
    (Follower, AsyncFollower),
    (Views, AsyncViews),
    (Handlers, AsyncHandlers),
    (ConversationStore, AsyncConversationStore),
    (SnapshotStore, AsyncSnapshotStore),
    (OrchestratorStore, AsyncOrchestratorStore),
    (OrchestratorQueries, AsyncOrchestratorQueries),
    (OrchestratorMaintenance, AsyncOrchestratorMaintenance),
    (QAStore, AsyncQAStore),
    (QALifecycle, AsyncQALifecycle),
    (CogneeCache, AsyncCogneeCache),
]
TWINS = [*FACES, (Backend, AsyncBackend), (ViewBackend, AsyncViewBackend)]
BACKENDS = [
    (Backend, MemoryBackend),
    (Backend, SqliteBackend),
    (Backend, postgres.PostgresBackend),
    (AsyncBackend, ThreadedBackend),
    (AsyncBackend, postgres_async.AsyncPostgresBackend),
]
#: What returns an async iterator does no I/O itself, so there is nothing to await; nor does `stop`,
#: which is called from signal handlers.
NOT_AWAITED = {"follow", "export_lines", "__aiter__", "stop"}
#: The async twin takes async iterables as well.
WIDER = {"transfer.AnyLines": "Iterable[bytes]"}


def name(value: Any) -> str:
    return str(value.__name__)


def public(cls: type) -> dict[str, Any]:
    """The class's own public members and the dunders that differ between the twins."""
    differing = {*DUNDERS, *DUNDERS.values(), "__init__"}
    return {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_") or name in differing
    }


def plain(value: Any) -> Callable[..., Any] | None:
    """The function behind a member; None for an attribute."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, classmethod | staticmethod):
        return value.__func__
    return value if inspect.isfunction(value) else None


def shape(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults of the parameters, which is what a caller can rely on."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in parameters]


def annotations(function: Callable[..., Any]) -> dict[str, str]:
    """The annotations as written, with the async nouns read as their sync twins."""
    found = {key: str(value) for key, value in function.__annotations__.items()}
    return {key: WIDER.get(value, value.replace("Async", "")) for key, value in found.items()}


@pytest.mark.parametrize(("sync", "twin"), TWINS, ids=name)
def test_twins_have_the_same_names(sync: type, twin: type) -> None:
    names = {DUNDERS.get(one, one) for one in public(sync)}
    assert names == set(public(twin))


@pytest.mark.parametrize(("sync", "twin"), TWINS, ids=name)
def test_twins_have_the_same_signatures(sync: type, twin: type) -> None:
    theirs = public(twin)
    for one, value in public(sync).items():
        ours, other = plain(value), plain(theirs[DUNDERS.get(one, one)])
        if ours is None or other is None:
            assert ours is other is None, one
            continue
        assert shape(ours) == shape(other), one
        assert annotations(ours) == annotations(other), one


@pytest.mark.parametrize(("sync", "twin"), FACES, ids=name)
def test_twins_say_the_same(sync: type, twin: type) -> None:
    theirs = public(twin)
    for one, value in public(sync).items():
        ours, other = plain(value), plain(theirs[DUNDERS.get(one, one)])
        if ours is not None and other is not None:
            assert ours.__doc__ == other.__doc__, one
            assert ours.__doc__ or one.startswith("__"), f"{one} has no docstring"


@pytest.mark.parametrize(("sync", "twin"), TWINS, ids=name)
def test_exactly_what_does_io_is_awaited(sync: type, twin: type) -> None:
    for one, value in public(twin).items():
        function = plain(value)
        if function is None or isinstance(value, property) or one == "__init__":
            continue
        assert inspect.iscoroutinefunction(function) == (one not in NOT_AWAITED), one
    for one, value in public(sync).items():
        assert not inspect.iscoroutinefunction(plain(value)), one


@pytest.mark.parametrize(("protocol", "backend"), BACKENDS, ids=name)
def test_every_backend_has_the_methods_of_its_protocol(protocol: type, backend: type) -> None:
    for one, value in public(protocol).items():
        wanted = plain(value)
        if wanted is None or one == "__init__":
            continue
        found = plain(getattr(backend, one, None))
        assert found is not None, f"{one} is missing"
        assert shape(found) == shape(wanted), one
        assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(wanted), one
        hints = {key: hint for key, hint in get_type_hints(wanted).items() if key != "return"}
        assert {key: get_type_hints(found)[key] for key in hints} == hints, one


@pytest.mark.parametrize(("protocol", "backend"), BACKENDS, ids=name)
def test_every_backend_has_the_attributes_of_its_protocol(protocol: type, backend: type) -> None:
    source = inspect.getsource(backend)
    for one in inspect.get_annotations(protocol):
        assert hasattr(backend, one) or f"self.{one} = " in source or f"self.{one}," in source, one
