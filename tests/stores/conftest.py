"""Stores keep their promises on every backend, sync and async: the fixtures of the contract."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from projections.session_stores.orchestrator import OrchestratorStore
from tests.contract.conftest import ledger, loop, open_ledger, stored, url
from tests.stores.orchestrator_cases import open_store
from tests.support.blocking import LoopThread

__all__ = [
    "ledger",
    "loop",
    "open_ledger",
    "open_orchestrator",
    "store",
    "stored",
    "url",
]


# Both faces of a store run the same plans, and the contract runs both faces of what those call on
# every backend. So a test runs on every backend, and half of them in each face.
IN_PARALLEL = {("memory", "async"), ("sqlite", "sync"), ("postgres", "async")}
ONE_BY_ONE = {("memory", "sync"), ("sqlite", "async"), ("postgres", "sync")}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other half."""
    here = Path(__file__).parent
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        pair = _pair(item) if here in item.path.parents else None
        wanted = IN_PARALLEL if item.path.stem.endswith("_concurrency") else ONE_BY_ONE
        (kept if pair is None or pair in wanted else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _pair(item: pytest.Item) -> tuple[str, str] | None:
    """Return a test's backend and face, None if it does not run on all of them."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or not {"url", "loop"} <= callspec.params.keys():
        return None
    given = {name for mark in item.iter_markers("parametrize") for name in _names(mark.args[0])}
    if given & {"url", "loop"}:
        return None  # it says itself where it runs
    return callspec.params["url"], callspec.params["loop"]


def _names(given: str | Sequence[str]) -> list[str]:
    return given.replace(",", " ").split() if isinstance(given, str) else list(given)


@pytest.fixture(autouse=True)
def _all_views(all_views: None) -> None:
    """Let every test have them: making their tables takes longer than most of these tests do."""


@pytest.fixture
def open_orchestrator(
    url: str, loop: LoopThread | None
) -> Iterator[Callable[..., OrchestratorStore]]:
    """A function that opens the test's ledger and an orchestrator's store on it, again and again."""
    opened: list[Any] = []

    def open_one(**options: Any) -> Any:
        opened.append(open_store(url, loop, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.ledger.close()


@pytest.fixture
def store(open_orchestrator: Callable[..., OrchestratorStore]) -> OrchestratorStore:
    """An orchestrator's store on an empty ledger."""
    return open_orchestrator()
