"""Every benchmark runs twice: tiny in the normal suite, so that it cannot rot, and for figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.harness import NAMES, Comparison, Report, flush_ms, table
from tests.bench.sizes import FULL, SMOKE, Sizes

_comparisons: list[Comparison] = []


@pytest.fixture(
    params=[pytest.param(FULL, id="full", marks=pytest.mark.bench), pytest.param(SMOKE, id="smoke")]
)
def sizes(request: pytest.FixtureRequest) -> Sizes:
    """How much to do."""
    assert isinstance(request.param, Sizes)
    return request.param


@pytest.fixture
def report() -> Report:
    """Put a comparison into the table that the run ends with."""
    return _comparisons.append


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """A file that does not exist yet."""
    return tmp_path / "ledger.db"


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> str:
    """The database."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{request.getfixturevalue('sqlite_path')}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table, unless this was the normal suite."""
    if not _comparisons or config.option.markexpr != "bench":
        return
    terminalreporter.section(f"rates and ratios; flushing a page takes {flush_ms():.2f} ms here")
    for line in table(_comparisons):
        terminalreporter.write_line(line)
