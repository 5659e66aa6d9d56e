"""Rebuilds, projectors and switches that are killed: the next one goes on, and nothing is wrong."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ledger import Ledger
from projections import Rebuild, RebuildInterrupted, Views
from tests.support.builders import DEADLINE_S, background, eventually, on_sqlite, only_sync
from tests.support.processes import child
from tests.support.rebuilders import catch_up, rebuild_slowly, switch_halfway
from tests.support.rebuilds import V1, V2, record_of
from tests.support.views import counted, dropped, folded

pytestmark = only_sync  # a killed process takes threads and tasks alike
ROOT = Path(__file__).resolve().parents[2]
SESSIONS = [f"s{number}" for number in range(24)]
Open = Callable[..., Any]
READS_MIN = 10
READ_S_MAX = 2.0


def fill(ledger: Any, seed: int, rounds: int = 10) -> None:
    chance = random.Random(seed)
    for _ in range(rounds):
        for session_id in SESSIONS:
            events = [counted(chance.choice("xyz")) for _ in range(chance.randint(1, 9))]
            ledger.append(session_id, [*events, dropped(chance.choice("xyz"))])


def assert_equal(ledger: Any) -> None:
    """Both versions hold what their folds make of the whole log."""
    views = Views(ledger, projections=[V1, V2])
    assert views.compare("tally", old=1, new=2).same
    only = Views(ledger, projections=[V2])
    for session_id in SESSIONS:
        rows = {row.name: row for row in only.rows("tally", session_id)}
        wanted = folded(V2, ledger.read(session_id))
        assert rows == {key[2]: row for key, row in wanted.items()}


@pytest.fixture
def filled(open_ledger: Open) -> Any:
    ledger = open_ledger(buckets=6)
    fill(ledger, seed=1)
    Views(ledger, projections=[V1]).catch_up()
    return ledger


def in_processes(ledger: Any, url: str, count: int = 2, **options: Any) -> Rebuild:
    return Rebuild(ledger, V2, processes=count, open_ledger=partial(Ledger.open, url), **options)


def test_several_processes_share_the_buckets(filled: Any, url: str) -> None:
    report = in_processes(filled, url, count=3).run()
    assert (report.built, report.failures) == (True, ())
    assert report.events == sum(filled.backend.positions())
    assert_equal(filled)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rebuild_killed_again_and_again_gets_there(filled: Any, url: str, seed: int) -> None:
    chance = random.Random(seed)
    total = sum(filled.backend.positions())
    seen = [0]
    for number in range(8):
        with child(rebuild_slowly, url) as running:
            first = running.answer()
            assert first >= seen[-1]  # it goes on, it does not begin again
            seen.append(first)
            # Half of them get a page done, however slow the machine is; the others may die in it.
            while number % 2 == 0 and seen[-1] == first:
                seen.append(running.answer())
            deadline = time.monotonic() + chance.uniform(0, 0.15)
            while time.monotonic() < deadline and running.pipe.poll(0.01):
                seen.append(running.answer())
            running.kill()
    assert 0 < seen[-1] < total
    report = Rebuild(filled, V2).run()
    assert report.built
    assert report.events <= total - seen[-1]
    assert_equal(filled)


def test_the_work_of_a_killed_process_is_done_by_the_others(filled: Any, url: str) -> None:
    killed: list[int] = []

    def kill_one(progress: Any) -> None:
        if progress.events and not killed:
            killed.append(rebuild.process_ids[0])
            os.kill(killed[0], signal.SIGKILL)

    rebuild = in_processes(filled, url, count=3, events_per_second=2_000, on_progress=kill_one)
    report = rebuild.run()
    assert (len(killed), report.built) == (1, True)
    assert_equal(filled)


def test_if_all_processes_are_killed_the_next_rebuild_goes_on(filled: Any, url: str) -> None:
    def kill_all(progress: Any) -> None:
        if progress.events:
            for process_id in rebuild.process_ids:
                os.kill(process_id, signal.SIGKILL)

    rebuild = in_processes(filled, url, events_per_second=500, on_progress=kill_all)
    with pytest.raises(RebuildInterrupted):
        rebuild.run()
    report = in_processes(filled, url).run()
    assert report.built
    assert report.events < sum(filled.backend.positions())
    assert_equal(filled)


def test_cancelled_processes_end_behind_their_page_and_can_be_resumed(
    filled: Any, url: str
) -> None:
    rebuild = in_processes(
        filled, url, events_per_second=300, on_progress=lambda one: one.events and rebuild.cancel()
    )
    report = rebuild.run()
    assert (report.built, report.cancelled, rebuild.process_ids) == (False, True, [])
    assert in_processes(filled, url).run().built
    assert_equal(filled)


@pytest.mark.parametrize("seed", [1, 2])
def test_two_projectors_killed_at_random_fold_everything_once(
    open_ledger: Open, url: str, seed: int
) -> None:
    chance = random.Random(seed)
    ledger = open_ledger(buckets=3)
    for number in range(6):
        fill(ledger, seed=number, rounds=2)
        with child(catch_up, url) as one, child(catch_up, url) as other:
            assert (one.answer(), other.answer()) == ("ready", "ready")
            for victim in (one, other):
                time.sleep(chance.uniform(0, 0.05))
                victim.kill()
    views = Views(ledger, projections=[V1])
    for session_id in SESSIONS:
        rows = {row.name: row for row in views.rows("tally", session_id)}
        wanted = folded(V1, ledger.read(session_id))
        assert rows == {key[2]: row for key, row in wanted.items()}


def test_four_writers_and_a_reader_do_not_wait_for_a_rebuild(filled: Any, url: str) -> None:
    views = Views(filled, projections=[V1, V2])
    done = threading.Event()

    def write(number: int) -> int:
        count = 0
        while not done.is_set():
            filled.append(SESSIONS[number], counted("xyz"[count % 3]))
            count += 1
            done.wait(0.01)  # at full speed the rebuild would mostly fold what they just wrote
        return count

    def read() -> list[float]:
        times_s = []
        while not done.is_set():
            before_s = time.monotonic()
            assert views.rows("tally", SESSIONS[0])
            times_s.append(time.monotonic() - before_s)
        return times_s

    writers = [background(partial(write, number)) for number in range(4)]
    reader = background(read)
    try:
        report = in_processes(filled, url, events_per_second=2_000).run()
        compared = views.compare("tally", old=1, new=2)  # while they write
        views.switch("tally", 2)
    finally:
        done.set()
    assert report.built
    assert compared.same
    assert min(writer.result(DEADLINE_S) for writer in writers) > 0
    times_s = reader.result(DEADLINE_S)
    # One or two may meet a machine that stalls; who waited for the rebuild would read once.
    assert len(times_s) > READS_MIN
    assert len([one for one in times_s if one >= READ_S_MAX]) <= 2, times_s
    views.catch_up()
    assert_equal(filled)


def test_a_switch_that_is_killed_halfway_changes_nothing_and_keeps_nobody_waiting(
    filled: Any, url: str
) -> None:
    Rebuild(filled, V2).run()
    views = Views(filled, projections=[V1, V2])
    with child(switch_halfway, url) as switching:
        assert switching.answer() == "switching"
        if url.startswith("postgres"):
            eventually(lambda: sleeping(url))
        assert record_of(views, 1).active
        assert views.rows("tally", SESSIONS[0])
        switching.kill()
    if url.startswith("postgres"):
        # The server itself would notice when the sleep is over that stands for the commit.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (sleeping(url),))
    assert (record_of(views, 1).active, record_of(views, 2).active) == (True, False)
    views.switch("tally", 2)
    assert (record_of(views, 1).active, record_of(views, 2).active) == (False, True)
    assert_equal(filled)


def sleeping(url: str) -> int | None:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            """
            SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event = 'PgSleep'
            """
        ).fetchone()
    return None if row is None else int(row[0])


def command(url: str, *options: str) -> list[str]:
    named = ["tests.support.rebuilds:V1", "tests.support.rebuilds:V2"]
    own = [part for name in named for part in ("--projections", name)]
    return [
        sys.executable,
        "-m",
        "projections.cli",
        "rebuild",
        "tally",
        "--url",
        url,
        *own,
        *options,
    ]


@on_sqlite
@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_a_rebuild_that_goes_on_when_called_again(
    filled: Any, url: str, processes: int
) -> None:
    options = ["--processes", str(processes), "--events-per-second", "200"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A session of its own, so that the signal reaches its whole group and nobody else, as Ctrl-C.
    with subprocess.Popen(
        command(url, *options), cwd=ROOT, start_new_session=True, **pipes
    ) as running:
        views = Views(filled, projections=[V1, V2])
        eventually(lambda: sum(record_of(views, 2).positions) > 0)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=DEADLINE_S)
    assert (running.returncode, out) == (130, "")
    assert err == "Stopped; the same command goes on from here.\n"
    before = sum(record_of(views, 2).positions)
    assert 0 < before < sum(filled.backend.positions())
    assert Rebuild(filled, V2).run().events == sum(filled.backend.positions()) - before
    assert_equal(filled)


@on_sqlite
def test_workers_whose_parent_is_killed_end_by_themselves(filled: Any, url: str) -> None:
    options = ["--processes", "2", "--events-per-second", "60"]
    with subprocess.Popen(command(url, *options), cwd=ROOT) as parent:
        views = Views(filled, projections=[V1, V2])
        eventually(lambda: sum(record_of(views, 2).positions) > 0)
        workers = psutil.Process(parent.pid).children(recursive=True)
        assert len(workers) >= 2
        parent.kill()
    gone, left = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert (len(gone) >= 2, left) == (True, [])
    assert Rebuild(filled, V2).run().built
    assert_equal(filled)
