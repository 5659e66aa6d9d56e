"""Stores keep their promises on every backend, sync and async: the fixtures of the contract."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from projections.session_stores.orchestrator import OrchestratorStore
from tests.contract.conftest import (
    contract_database,
    ledger,
    loop,
    open_ledger,
    postgres_url,
    stored,
    url,
)
from tests.stores.orchestrator_cases import open_store
from tests.support.blocking import LoopThread

__all__ = [
    "contract_database",
    "ledger",
    "loop",
    "open_ledger",
    "open_orchestrator",
    "postgres_url",
    "store",
    "stored",
    "url",
]


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
