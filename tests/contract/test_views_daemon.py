"""The daemon: it follows the log, survives poison, and ends when it is told to."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidArgument, Ledger, NewEvent
from projections import Daemon, ProjectionFailed, Views
from tests.support.builders import (
    DEADLINE_S,
    at_best,
    background,
    eventually,
    on_durable,
    only_sync,
)
from tests.support.processes import child, switching_s
from tests.support.views import TALLY, Poisoned, counted, stored, tally, views_of
from tests.support.workers import echo

ROOT = Path(__file__).resolve().parents[2]
FOLLOW_MEDIAN_MAX_S = 0.05

# It has no async twin: it is a process or a thread of its own.
pytestmark = [only_sync, pytest.mark.usefixtures("new_database")]


@contextmanager
def watching(ledger: Any, *projections: Any, **options: Any) -> Iterator[Daemon]:
    """Run a daemon in a thread for a block, and see it end."""
    daemon = Daemon(ledger, projections=projections, **options)
    running = background(daemon.watch)
    try:
        yield daemon
    finally:
        daemon.stop()
        running.result(DEADLINE_S)


@contextmanager
def command(url: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `ledger project --watch` in a process of its own for a block."""
    call = [sys.executable, "-m", "projections.cli", "project", "--watch", "--url", url, *options]
    running = subprocess.Popen(
        call, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    try:
        assert running.stderr.readline() == "watching\n"
        yield running
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def test_a_daemon_folds_what_is_appended(ledger: Ledger) -> None:
    views = views_of(ledger, TALLY)
    with watching(ledger, TALLY):
        for count in range(1, 4):
            views.wait_for(ledger.append("s", counted()), DEADLINE_S, consistency="eventual")
            [row] = stored(views, TALLY, "s", consistency="eventual").values()
            assert row.count == count


def test_daemons_beside_each_other_fold_every_event_once(ledger: Ledger) -> None:
    views = views_of(ledger, TALLY)
    with watching(ledger, TALLY), watching(ledger, TALLY, batch_events_max=1):
        for _ in range(20):
            last = ledger.append("s", [counted(), counted()])
        views.wait_for(last, DEADLINE_S, consistency="eventual")
    [row] = stored(views, TALLY, "s", consistency="eventual").values()
    assert row.sequences == list(range(1, 41))


def test_poison_is_told_once_and_everything_else_goes_on(ledger: Ledger) -> None:
    fold = Poisoned(2)
    told: list[ProjectionFailed] = []
    views = views_of(ledger, tally("poisoned", fold), TALLY)
    with watching(ledger, tally("poisoned", fold), TALLY, on_failure=told.append):
        for _ in range(4):
            last = ledger.append("s", counted())
            views.wait_for(last, DEADLINE_S, projections=["tally"], consistency="eventual")
        failure = eventually(lambda: told[0] if told else None)
        assert (failure.projection, failure.position) == ("poisoned", 2)
        views.skip("poisoned", bucket=failure.bucket, position=2, reason="rubbish", by="kim")
        views.wait_for(ledger.append("s", counted()), DEADLINE_S, consistency="eventual")
    assert len(told) == 1
    [row] = stored(views, tally("poisoned", fold), "s", consistency="eventual").values()
    assert row.sequences == [1, 3, 4, 5]


def test_poison_that_nobody_asked_to_be_told_of_is_logged(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    poisoned = tally("poisoned", Poisoned(2))
    for _ in range(3):
        ledger.append("s", counted())
    with watching(ledger, poisoned):
        [record] = eventually(lambda: [one for one in caplog.records if one.name == "projections"])
        ledger.append("s", counted())
        eventually(lambda: views_of(ledger, poisoned).status().reasons)
    assert record.levelname == "ERROR"
    message = record.getMessage()
    assert message.startswith("Projection poisoned version 1 stopped in bucket")
    assert "support/views.py" in message  # the line of the fold
    assert [one for one in caplog.records if one.name == "projections"] == [record]


def test_a_daemon_may_fold_some_views_only(ledger: Ledger) -> None:
    views = views_of(ledger, TALLY, tally("other"))
    ledger.append("s", counted())
    views.catch_up()
    ledger.append("other", counted())
    daemon = Daemon(ledger, projections=[TALLY, tally("other")], names=["tally"])
    views_of(ledger, tally("other")).catch_up()
    ledger.append("s", counted())
    assert daemon.advance() == []
    assert sum(views.positions("tally")) == 3
    with pytest.raises(InvalidArgument, match="nothing"):
        Daemon(ledger, names=["nothing"])


def test_a_daemon_refuses_what_it_could_not_tell_of_a_failure(ledger: Ledger) -> None:
    async def unheard(_: object) -> None: ...

    for name in ("on_failure", "on_retry"):
        for wrong in (5, "print", unheard):
            options: dict[str, Any] = {name: wrong}
            with pytest.raises(InvalidArgument, match=name):
                Daemon(ledger, **options)


def median_delay_s(ledger: Ledger, views: Views) -> float:
    """Return the median time from an append's return to its being folded."""

    def delay_s() -> float:
        appended = ledger.append("s", NewEvent({}, "note")).event
        start = time.perf_counter()
        eventually(lambda: views.positions("sessions")[appended.bucket] >= appended.position)
        return time.perf_counter() - start

    return statistics.median(delay_s() for _ in range(15))


@on_durable
def test_the_command_follows_within_fifty_milliseconds_and_ends_on_sigterm(
    ledger: Ledger, url: str
) -> None:
    views = Views(ledger)
    views.catch_up()
    with command(url) as running, child(echo) as echoing:
        views.wait_for(ledger.append("s", NewEvent({}, "note")), DEADLINE_S, consistency="eventual")

        def own_delay_s() -> float:
            return median_delay_s(ledger, views) - switching_s(echoing)

        assert at_best(own_delay_s, FOLLOW_MEDIAN_MAX_S) < FOLLOW_MEDIAN_MAX_S
        running.send_signal(signal.SIGTERM)
        assert running.wait(DEADLINE_S) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
    assert views.status(lag_seconds_max=DEADLINE_S).healthy


@on_durable
def test_ctrl_c_ends_the_command_as_well(ledger: Ledger, url: str) -> None:
    with command(url) as running:
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == 0
