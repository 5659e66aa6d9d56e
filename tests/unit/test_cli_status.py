"""`status` and `project` on the command line, and the metrics."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ledger import Ledger, NewEvent
from ledger.catalogue import ConsumerOffsetAdvanced
from projections import ProjectionFailed, Skip, Status, Views
from projections.cli import status as command
from projections.metrics import StatusCollector, exposition
from tests.support.cli import Done, run_cli
from tests.support.views import TALLY, Poisoned, counted, tally

HOSTILE = '\x1b]0;x\x07\u202e\n"} 1\\'


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def append(url: str, *events: NewEvent) -> None:
    with Ledger.open(url) as ledger:
        ledger.append("s", list(events) or [NewEvent({}, "note")])


def poison(url: str, event_id: str = "e2") -> Status:
    """Let a view of one's own stop at an event, and return the status."""
    append(url, counted(), counted(event_id=event_id), counted())
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=[tally("poisoned", Poisoned(2)), TALLY])
        with pytest.raises(ProjectionFailed):
            views.catch_up()
        return views.status()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what a scrape of the text gives, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def status(url: str, *options: str) -> Done:
    return run_cli("status", "--url", url, *options)


def test_status_is_a_table_and_a_verdict(url: str) -> None:
    append(url)
    behind = status(url)
    assert re.search(r"^sessions +1 +active +1 +1 +\d+\.\d +0 +0$", behind.out, re.MULTILINE)
    assert (behind.code, behind.out.splitlines()[-1]) == (0, "healthy")
    assert run_cli("project", "--url", url).code == 0
    done = status(url)
    assert re.search(r"^sessions +1 +active +0 +0 +0\.0 +0 +0$", done.out, re.MULTILINE)
    assert done.code == 0


def test_lag_beyond_the_bound_is_exit_code_one(url: str) -> None:
    append(url)
    late = status(url, "--lag-seconds-max", "0")
    assert (late.code, late.out.splitlines()[-1]) == (1, "NOT HEALTHY")
    assert "sessions version 1 is 1 events and" in late.out
    assert status(url, "--lag-seconds-max", "0", "--any-lag").code == 0


def test_a_view_of_ones_own_that_stopped_is_named_by_the_command(url: str) -> None:
    poison(url)
    done = status(url)
    assert done.code == 1
    assert "poisoned version 1 stopped in bucket 0 at position 2, event 'e2'" in done.out
    assert re.search(r"^poisoned +1 +active, unknown here ", done.out, re.MULTILINE)


def test_json_is_the_whole_status(url: str) -> None:
    poison(url)
    done = status(url, "--json")
    [line] = done.out.splitlines()
    found = json.loads(line)
    assert (done.code, found["healthy"]) == (1, False)
    [view] = [view for view in found["views"] if view["projection"] == "poisoned"]
    assert view["failures"][0]["event_id"] == "e2"
    assert view["behind"][0]["events"] == 2


def test_prometheus_text_is_what_its_parser_reads(url: str) -> None:
    poison(url)
    done = status(url, "--prometheus")
    found = samples(done.out)
    poisoned = (("bucket", "0"), ("projection", "poisoned"), ("version", "1"))
    assert done.code == 1
    assert found["ledger_views_healthy", ()] == 0
    assert found["ledger_view_lag_events", poisoned] == 2
    assert (
        found["ledger_view_failed_position", (poisoned[0], ("event_id", "e2"), *poisoned[1:])] == 2
    )
    tally_labels = (("bucket", "0"), ("projection", "tally"), ("version", "1"))
    assert found["ledger_view_lag_seconds", tally_labels] == 0


def test_a_registry_asks_for_the_status_at_every_scrape(url: str) -> None:
    registry = CollectorRegistry()
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=[TALLY])
        registry.register(StatusCollector(views))
        labels = (("bucket", "0"), ("projection", "tally"), ("version", "1"))
        for count in range(1, 3):
            ledger.append("s", counted())
            found = samples(generate_latest(registry).decode())
            assert found["ledger_view_lag_events", labels] == count
        views.catch_up()
        found = samples(generate_latest(registry).decode())
        assert found["ledger_view_lag_events", labels] == 0
        assert found["ledger_views_healthy", ()] == 1


def test_consumers_that_are_behind_are_in_the_metrics(url: str) -> None:
    append(url, counted(), NewEvent(ConsumerOffsetAdvanced(consumer="c", sequence=0)))
    assert run_cli("project", "--url", url).code == 0
    found = samples(status(url, "--prometheus").out)
    labels = (("consumer", "c"), ("session_id", "s"), ("tenant", ""))
    assert found["ledger_consumer_lag_events", labels] == 1


def test_hostile_names_are_shown_and_not_obeyed(url: str) -> None:
    event_id = HOSTILE.replace("\n", "")
    found = poison(url, event_id)
    for done in (status(url), status(url, "--json"), status(url, "--prometheus")):
        assert done.code == 1
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", done.out)
    assert len(samples(exposition(found))) == len(samples(exposition(poisonless(found)))) + 1


def poisonless(found: Status) -> Status:
    """Return a status without its failures."""
    views = tuple(msgspec.structs.replace(view, failures=()) for view in found.views)
    return msgspec.structs.replace(found, views=views)


def test_json_and_prometheus_are_one_or_the_other(url: str) -> None:
    append(url)
    done = status(url, "--json", "--prometheus")
    assert (done.code, done.out) == (2, "")
    assert "--prometheus: not together with --json" in done.err


def test_the_status_is_of_the_chosen_projections(url: str) -> None:
    poison(url)
    assert status(url, "--projection", "poisoned").code == 1
    well = status(url, "--projection", "tally", "--projection", "runs", "--json")
    assert [view["projection"] for view in json.loads(well.out)["views"]] == ["runs", "tally"]
    assert well.code == 0
    unknown = status(url, "--projection", "nothing")
    assert (unknown.code, "--projection: there is no projection 'nothing'" in unknown.err) == (
        2,
        True,
    )


def test_the_status_knows_views_of_ones_own(url: str) -> None:
    append(url, counted())
    own = ("--projections", "tests.support.rebuilds:V1")
    assert re.search(r"^tally +1 +active +1 ", status(url, *own).out, re.MULTILINE)


def test_skips_are_listed_with_who_and_why(capsys: pytest.CaptureFixture[str], url: str) -> None:
    found = poisonless(poison(url))
    skip = Skip(
        projection="tally",
        version=1,
        bucket=0,
        position=2,
        event_id="e2",
        reason=HOSTILE,
        by="kim",
        error="ZeroDivisionError: poison",
        at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    views = tuple(msgspec.structs.replace(view, skips=(skip,)) for view in found.views[:1])
    command._print(msgspec.structs.replace(found, views=views, healthy=True, reasons=()))
    out = capsys.readouterr().out
    assert "kim skipped position 2 of bucket 0, event 'e2', at 2026-01-02 03:04:" in out
    assert "\x1b" not in out


def test_without_the_extra_the_command_says_what_to_install(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(url)
    monkeypatch.setitem(__import__("sys").modules, "projections.metrics", None)
    done = status(url, "--prometheus")
    assert (done.code, done.out) == (2, "")
    assert "agent-session-ledger[metrics]" in done.err


def test_project_folds_once_and_tells_what_stopped(url: str) -> None:
    append(url, counted("y"))
    own = ("--projections", "tests.support.rebuilds:POISONED2")
    done = run_cli("project", "--url", url, *own)
    assert done.code == 4
    assert done.err.count("Projection tally version 2 stopped in bucket 0 at position 1") == 1
    assert run_cli("project", "--url", url, *own, "--projection", "sessions").code == 0
    assert run_cli("project", "--url", url, *own, "--projection", "tally").code == 4


def test_project_refuses_views_that_it_does_not_know(url: str) -> None:
    append(url)
    done = run_cli("project", "--url", url, "--projection", "nothing")
    assert (done.code, "nothing" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["status", "project"])
def test_a_mistyped_file_does_not_come_to_be(name: str, url: str, tmp_path: Path) -> None:
    assert run_cli(name, "--url", url).code == 2
    assert list(tmp_path.iterdir()) == []
