"""Export and import: what arrives is what was appended, to the byte, on every backend."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import Append, ImportReport, InvalidImport, Ledger, NewEvent, Upcasts
from ledger.digests import genesis
from ledger.moments import from_microseconds
from tests.support.builders import note, notes, only_sync, texts, together, whole_feed
from tests.support.exports import forged, hash_of, in_export_order, sealed

TARGETS = ("memory", "sqlite", "postgres")
BUCKETS = (1, 7, 64)


def a_rich_history(ledger: Any) -> None:
    """Append something of everything: tenants, forks, deletions, bytes, headers, scripts."""
    full = {
        "event_id": "../a:b",
        "run_id": "r",
        "actor": "agent",
        "causation_id": "c",
        "correlation_id": "k",
        "trace_id": "t",
        "span_id": "s",
        "occurred_at": from_microseconds(1),
        "metadata": {"z": 1, "a": [1.5, None, "ü"], "\u202e": "‮"},
    }
    ledger.append("plain", [note("1", **full), note("2")])
    ledger.append("plain", NewEvent(bytes(range(256)), "blob", content_type="image/png"))
    ledger.append("plain", NewEvent(b"", "blob", content_type="text/plain"))
    ledger.append("žluť/会话\n", [note("𝕏"), NewEvent({"role": "user"}, "message.appended")])
    for tenant in ("", "a", "a:b"):
        ledger.append("same id", note(tenant), tenant=tenant)
    ledger.append_many([Append(f"s{n}", notes("xyz"), tenant="many") for n in range(20)])
    ledger.fork("plain", 2, "child")
    ledger.append("child", note("own"))
    ledger.fork("child", 2, "grandchild")
    ledger.delete("same id", reason="asked for")
    ledger.append("same id", note("second incarnation"))
    ledger.delete("plain")
    ledger.append("plain", NewEvent({"n": 2**64 - 1, "f": 1e-7, "": {}}, "numbers"))


def stored_records(ledger: Any) -> dict[tuple[str, str, int], Any]:
    """Return what was stored, without the numbers that belong to one ledger."""
    return {
        (event.tenant, event.session_id, event.sequence): (
            event.event_id,
            event.type,
            event.data,
            event.metadata,
            event.occurred_us,
            event.recorded_us,
            event.event_hash,
        )
        for event in whole_feed(ledger)
    }


@pytest.fixture
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a second ledger, of the kind that the parameter names."""
    kind = request.param
    if kind == "memory":
        yield "memory:"
    elif kind == "sqlite":
        yield f"sqlite:///{tmp_path}/target.db"
    else:
        with request.getfixturevalue("postgres_server").temporary_database() as url:
            yield url


@pytest.mark.parametrize("target_url", TARGETS, indirect=True)
def test_an_import_on_any_backend_exports_the_same_bytes(
    target_url: str, open_ledger: Callable[..., Any]
) -> None:
    source = open_ledger()
    a_rich_history(source)
    lines = list(source.export_lines())
    target = open_ledger(target_url, buckets=5)
    report = target.import_lines(lines)
    assert report == ImportReport(stored=len(lines) - 2, already_stored=0)
    assert list(target.export_lines()) == lines
    assert stored_records(target) == stored_records(source)
    assert target.verify().findings == ()


@pytest.mark.parametrize("buckets", BUCKETS)
def test_the_number_of_buckets_leaves_no_trace(
    open_ledger: Callable[..., Any], buckets: int
) -> None:
    with Ledger.open("memory:") as source:
        a_rich_history(source)
        lines = list(source.export_lines())
    target = open_ledger(buckets=buckets)
    target.import_lines(lines)
    assert list(target.export_lines()) == lines


def test_importing_again_adds_nothing_and_says_so(ledger: Any) -> None:
    a_rich_history(ledger)
    lines = list(ledger.export_lines())
    assert ledger.import_lines(lines) == ImportReport(stored=0, already_stored=len(lines) - 2)
    assert list(ledger.export_lines()) == lines


def test_an_empty_ledger_exports_two_lines(ledger: Any) -> None:
    lines = list(ledger.export_lines())
    assert (len(lines), ledger.import_lines(lines)) == (2, ImportReport())


def test_an_import_goes_on_where_an_earlier_one_ended(open_ledger: Callable[..., Any]) -> None:
    with Ledger.open("memory:", buckets=3) as source:
        source.append("s", notes("abc"))
        first = list(source.export_lines())
        source.append("s", notes("de"))
        source.append("t", note("x"))
        second = list(source.export_lines())
    target = open_ledger()
    target.import_lines(first)
    assert target.import_lines(second) == ImportReport(stored=3, already_stored=3)
    assert texts(target.read("s")) == list("abcde")


def test_a_session_that_went_on_here_is_no_obstacle(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    lines = list(ledger.export_lines())
    ledger.append("s", note("c"))
    assert ledger.import_lines(lines) == ImportReport(stored=0, already_stored=2)
    assert texts(ledger.read("s")) == list("abc")


def test_readers_and_views_see_imported_deletions_and_lineage(ledger: Any) -> None:
    with Ledger.open("memory:") as source:
        a_rich_history(source)
        lines = list(source.export_lines())
        seen = [texts(source.read(s)) for s in ("plain", "same id", "child")]
    ledger.import_lines(lines)
    assert [texts(ledger.read(s)) for s in ("plain", "same id", "child")] == seen
    assert texts(ledger.read("child", lineage=True, deleted=True))[-1] == "own"


def test_older_events_behind_newer_ones_are_exported_in_order(
    open_ledger: Callable[..., Any],
) -> None:
    old = sealed(forged("old", *({"recorded_us": 10 * n} for n in range(1, 900))))
    middle = sealed(forged("middle", *({"recorded_us": 10 * n + 5} for n in range(1, 900))))
    target = open_ledger(buckets=1)
    target.append("new", notes("ab"))
    for lines in (middle, old):
        target.import_lines(lines)
    target.append("new", note("c"))
    exported = list(target.export_lines())
    assert exported[1:-1] == in_export_order(exported[1:-1])
    other = open_ledger("memory:", buckets=16)
    assert other.import_lines(exported).stored == 1801
    assert list(other.export_lines()) == exported


def test_the_feed_of_an_import_is_in_the_order_of_the_file(open_ledger: Callable[..., Any]) -> None:
    mixed = [
        line
        for number in range(7)
        for line in forged(f"s{number}", *({"recorded_us": 100 * n + number} for n in range(1, 99)))
    ]
    target = open_ledger(buckets=1)
    target.import_lines(sealed(in_export_order(mixed)))
    times = [event.recorded_us for event in whole_feed(target)]
    assert times == sorted(times)


def test_upcasts_do_not_touch_what_is_exported(open_ledger: Callable[..., Any]) -> None:
    upcasts = Upcasts()
    upcasts.register("note", from_version=1, upcaster=lambda data: {"words": data["text"]})
    target = open_ledger(upcasts=upcasts)
    target.append("s", note("a", schema_version=1))
    [line] = list(target.export_lines())[1:-1]
    assert b'"payload":{"text":"a"}' in line


def test_another_history_is_refused_and_nothing_of_the_batch_stored(ledger: Any) -> None:
    ledger.append("s", note("mine"))
    lines = sealed(in_export_order(forged("a", {}, {}) + forged("s", {})))
    with pytest.raises(InvalidImport) as caught:
        ledger.import_lines(lines)
    assert caught.value.line == 3
    assert "session 's' has another event 1 here" in caught.value.reason
    assert (ledger.head("a"), ledger.head("s")) == (0, 1)


def test_a_cut_file_is_noticed_and_can_be_completed(ledger: Any) -> None:
    lines = sealed(forged("s", *({} for _ in range(1_200))))
    with pytest.raises(InvalidImport) as caught:
        ledger.import_lines(lines[:1_100])
    assert (caught.value.line, ledger.head("s")) == (1_101, 1_000)
    assert ledger.import_lines(lines) == ImportReport(stored=200, already_stored=1_000)


def test_a_fork_may_stand_before_its_parent(ledger: Any) -> None:
    parent = forged("p", {"recorded_us": 900})
    fork = {"type": "session.forked", "payload": b'{"at":1,"parent":"p"}', "recorded_us": 800}
    child = forged("c", fork, start=hash_of(parent[0]))
    assert ledger.import_lines(sealed(child + parent)).stored == 2
    assert [e.session_id for e in ledger.read("c", lineage=True)] == ["p", "c"]
    assert ledger.verify().findings == ()
    wrong = forged("d", fork, start=genesis("", "d"))
    with pytest.raises(InvalidImport, match="prev_hash is not the hash of event 1 of 'p'"):
        ledger.import_lines(sealed(wrong))
    assert ledger.head("d") == 0


@only_sync
def test_a_writer_in_between_is_named_not_overrun(ledger: Any) -> None:
    lines = sealed(forged("s", *({} for _ in range(800))))

    def interfere(report: ImportReport) -> None:
        ledger.append("s", note("mine"))

    with pytest.raises(InvalidImport, match="session 's' has another event 501 here"):
        ledger.import_lines(lines, progress=interfere)
    assert (ledger.head("s"), ledger.verify().findings) == (501, ())


def test_progress_is_reported_after_every_batch(ledger: Any) -> None:
    seen: list[int] = []
    lines = sealed(forged("s", *({} for _ in range(1_200))))
    ledger.import_lines(lines, progress=lambda report: seen.append(report.events))
    assert seen == [500, 1_000, 1_200]


@only_sync
def test_an_export_under_load_is_a_prefix_of_every_session(ledger: Any) -> None:
    def write(name: str) -> None:
        for number in range(60):
            ledger.append(name, note(str(number)))

    def export() -> list[bytes]:
        return list(ledger.export_lines())

    exports = together([*(lambda n=n: write(f"s{n}") for n in range(3)), export, export])[3:]
    for lines in exports:
        assert isinstance(lines, list), lines
        with Ledger.open("memory:", buckets=2) as target:
            target.import_lines(lines)
            assert target.verify().findings == ()
            for name in ("s0", "s1", "s2"):
                assert texts(target.read(name)) == [str(n) for n in range(target.head(name))]
