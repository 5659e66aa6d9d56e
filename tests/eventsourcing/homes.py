"""Where a test case of the wheel runs: a ledger on each backend, mixed into the case's class."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import TrackingRecorder
from eventsourcing.projection import BaseProjectionRunner

from projections.eventsourcing import LedgerFactory
from tests.support.builders import DEADLINE_S

MODULE = "projections.eventsourcing"
#: A case that waits for what does not come, for the second that is the wheel's default.
IN_VAIN = "test_run_forever_raises_projection_error"


class Home:
    """Gives a case the environment of an application, and recorders made from it."""

    url: str
    env: Any

    @pytest.fixture(autouse=True)
    def environment(self, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Name the ledger to the case and to every application that it makes."""
        self.url = url
        self.env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)
        self._factories: list[LedgerFactory] = []
        yield
        for factory in self._factories:
            factory.close()

    @pytest.fixture(autouse=True)
    def patience(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the cases wait longer for a projection than the second or the five that they do."""
        if request.node.name == IN_VAIN:
            run = BaseProjectionRunner.run_forever
            monkeypatch.setattr(
                BaseProjectionRunner, "run_forever", lambda self, timeout: run(self, DEADLINE_S)
            )
        else:
            monkeypatch.setattr(TrackingRecorder.wait, "__defaults__", (DEADLINE_S, None))
            monkeypatch.setattr(BaseProjectionRunner.wait, "__defaults__", (DEADLINE_S,))

    def make_factory(self) -> LedgerFactory:
        """Return a factory that is closed after the test."""
        factory = LedgerFactory(self.env)
        self._factories.append(factory)
        return factory


class OnMemory(Home):
    @pytest.fixture
    def url(self) -> str:
        return "memory:"


class OnSqlite(Home):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/ledger.db"


class OnPostgres(Home):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
