"""Import files that are damaged or forged: each is refused, with its line, and stores nothing."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from ledger import InvalidImport, Ledger, Limits, NewEvent
from ledger.catalogue import Catalogue, default_catalogue
from ledger.transfer.importing import AHEAD_US_MAX
from tests.support.exports import HEADER, forged, hash_of, in_export_order, sealed

FORK = {"type": "session.forked", "payload": b'{"at":1,"parent":"p"}'}
GOOD = forged("s", {}, {"content_type": "x/y", "payload": b"\xff"}, {})


class Paid(BaseModel):
    """A model of an application's own."""

    cents: int


def refusal(lines: Any, **options: Any) -> InvalidImport:
    """Return why an empty ledger refuses these lines; nothing of them may be stored."""
    with Ledger.open("memory:", **options) as ledger:
        with pytest.raises(InvalidImport) as caught:
            ledger.import_lines(lines)
        assert ledger.feed().events == []
    return caught.value


def test_the_forged_lines_are_good_if_left_alone() -> None:
    with Ledger.open("memory:") as ledger:
        assert ledger.import_lines(sealed(GOOD)).stored == 3
        assert list(ledger.export_lines()) == sealed(GOOD)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b'{"format":"other","version":1}\n',
        b'{"format":"agent-session-ledger","version":2}\n',
        b'{"format":"agent-session-ledger","version":1,"more":1}\n',
        b'{"format": "agent-session-ledger", "version": 1}\n',
        b"[" * 100_000,
        "text",
        None,
    ],
    ids=repr,
)
def test_another_first_line_is_refused(header: Any) -> None:
    assert refusal([header, *sealed(GOOD)[1:]]).line == 1


def test_an_empty_file_is_refused() -> None:
    assert refusal([]).line == 1


@pytest.mark.parametrize("kept", range(1, 5))
def test_a_file_cut_between_lines_is_refused(kept: int) -> None:
    assert "it was cut" in refusal(sealed(GOOD)[:kept]).reason


def test_every_cut_inside_a_line_is_refused() -> None:
    lines = sealed(GOOD)
    for cut in range(1, len(lines[1]) - 1, 7):
        assert refusal([lines[0], lines[1][:cut]]).line == 2


def test_every_changed_byte_is_noticed() -> None:
    whole = b"".join(sealed(GOOD))
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 1
        refusal(bytes(changed).splitlines(keepends=True))


def test_a_changed_event_is_named_although_the_file_is_sealed_again() -> None:
    lines = [GOOD[0].replace(b'"payload":{}', b'"payload":{"a":1}'), *GOOD[1:]]
    refused = refusal(sealed(lines))
    assert (refused.line, refused.reason) == (
        2,
        "payload, salt and payload_digest do not fit together",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: line.replace(b'"type":"note"', b'"type":"vote"'), "event_hash does not fit"),
        (lambda line: line.replace(b'"metadata":{}', b'"metadata":{"a":1}'), "event_hash does not"),
        (lambda line: line.replace(b'"event_id"', b'"actor":"x","event_id"'), "not spelled"),
        (lambda line: line.replace(b'"tenant"', b'"tenant":"x","tenant"'), "not spelled"),
        (lambda line: line.replace(b",", b", ", 1), "not spelled"),
        (lambda line: line.replace(b"}\n", b',"bucket":1}\n'), "not a line of an export"),
        (lambda line: line.replace(b'"sequence":1', b'"sequence":"1"'), "not a line of an export"),
        (lambda line: line.replace(b'"sequence":1', b'"sequence":0'), "prev_hash"),
        (lambda line: line.replace(b'"payload":{}', b'"payload":[]'), "expected a JSON object"),
        (lambda line: line.replace(b'"payload":{}', b'"payload":{"a":1,"a":2}'), "duplicate key"),
        (lambda line: line.replace(b'"payload":{}', b'"payload":{"a":"\\ud800"}'), "not a line"),
        (lambda line: line.replace(b'"payload":{}', b'"payload":{"a":"\\u0000"}'), "NUL"),
        (lambda line: line.replace(b'"payload":{}', b'"payload_base64":"e30="'), "a JSON payload"),
        (lambda line: line.replace(b',"payload":{}', b""), "a JSON payload stands in"),
        (lambda line: line.replace(b'"salt":"0', b'"salt":"A'), "salt: expected 64"),
        (lambda line: line.replace(b'"prev_hash":"', b'"prev_hash":"0'), "prev_hash: expected 64"),
        (lambda line: line.replace(b'"session_id":"s"', b'"session_id":""'), "session_id"),
        (lambda line: line.replace(b'"type":"note"', b'"type":"a\\nb"'), "control characters"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused(
    change: Callable[[bytes], bytes], reason: str
) -> None:
    changed = change(GOOD[0])
    assert changed != GOOD[0]
    refused = refusal(sealed([changed, *GOOD[1:]]))
    assert (refused.line, reason in refused.reason) == (2, True), refused.reason


@pytest.mark.parametrize("spelling", [b"_w", b"_w=", b"/x==", b"/w", b"=", b"/w==\\n"])
def test_another_spelling_of_base64_is_refused(spelling: bytes) -> None:
    lines = [GOOD[0], GOOD[1].replace(b"/w==", spelling), GOOD[2]]
    assert refusal(sealed(lines)).line == 3


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        (forged("s", {"sequence": 2}), 2, "event 1 of session 's' is missing"),
        (forged("s", {}, {"sequence": 3}), 3, "event 2 of session 's' was expected"),
        (forged("s", {"event_id": "e"}, {"event_id": "e"}), 3, "comes twice"),
        (forged("s", {}, start=bytes(32)), 2, "prev_hash is not where"),
        (forged("s", {}, FORK), 3, "no fork"),
        (forged("p", FORK), 2, "no fork"),
        (forged("s", {"type": "session.forked"}), 2, "no fork"),
        (forged("s", FORK | {"payload": b'{"at":true,"parent":"p"}'}), 2, "no fork"),
        (forged("s", FORK | {"content_type": "x/y"}), 2, "no fork"),
        (forged("s", FORK | {"payload": b'{"at":%d,"parent":"p"}' % (2**63 - 1)}), 2, "no fork"),
        (forged("p", {}) + forged("s", FORK), 3, "prev_hash is not the hash of event 1"),
        (forged("b", {"recorded_us": 2}) + forged("a", {"recorded_us": 1}), 3, "behind the line"),
        (forged("s", {"recorded_us": 2}, {"recorded_us": 1}), 3, "behind the line before"),
        ([GOOD[0], GOOD[0]], 3, "behind the line before"),
        (forged("s", {"schema_version": 0}), 2, "schema_version: expected 1"),
        (forged("s", {"occurred_us": 10**18}), 2, "occurred_us: expected 0"),
        (forged("s", {"event_id": "x" * 513}), 2, "event_id: longer than"),
        (forged("s", {"run_id": "  "}), 2, "run_id: must not be"),
    ],
)
def test_what_no_ledger_can_have_written_is_refused(
    lines: list[bytes], line: int, reason: str
) -> None:
    refused = refusal(sealed(lines))
    assert (refused.line, reason in refused.reason) == (line, True), refused.reason


def test_an_id_that_an_earlier_batch_stored_is_refused() -> None:
    events: list[dict[str, Any]] = [{"event_id": f"e{n % 600}"} for n in range(601)]
    with Ledger.open("memory:") as ledger, pytest.raises(InvalidImport) as caught:
        ledger.import_lines(sealed(forged("s", *events)))
    assert (caught.value.line, caught.value.reason) == (602, "event id 'e0' comes twice")


def test_a_far_future_is_refused_because_a_clock_never_goes_back() -> None:
    future = time.time_ns() // 1_000 + 2 * AHEAD_US_MAX
    lines = sealed(forged("s", {"recorded_us": future}))
    assert "future" in refusal(lines).reason
    with Ledger.open("memory:") as ledger:
        assert ledger.import_lines(lines, allow_future=True).stored == 1
        later = ledger.append("other", NewEvent({}, "note"))
        assert later.event.recorded_us == future


def test_a_fork_whose_parent_never_comes_is_refused() -> None:
    [child] = forged("c", FORK, start=bytes(32))
    with Ledger.open("memory:") as ledger, pytest.raises(InvalidImport) as caught:
        ledger.import_lines(sealed([child]))
    assert caught.value.line == 2
    assert caught.value.reason.startswith("event 1 of session 'p', from which 'c' was forked, is")


def test_a_fork_from_an_event_of_the_same_file_is_accepted() -> None:
    parent = forged("p", {})
    child = forged("c", FORK | {"recorded_us": 1_700_000_000_000_009}, start=hash_of(parent[0]))
    with Ledger.open("memory:") as ledger:
        assert ledger.import_lines(sealed(in_export_order(parent + child))).stored == 2


def test_the_payload_bound_of_the_ledger_holds() -> None:
    lines = sealed(forged("s", {"payload": b'{"a":"%s"}' % (b"x" * 200)}))
    assert "at most 100" in refusal(lines, limits=Limits(payload_bytes_max=100)).reason


def test_an_endless_line_is_refused() -> None:
    lines = [HEADER, b" " * 200_000]
    assert "longer than any" in refusal(lines, limits=Limits(payload_bytes_max=100)).reason


def test_a_name_in_a_line_is_told_and_not_obeyed() -> None:
    name = b"\\u001b[2J\\n" * 1_000
    found = refusal([HEADER, b'{"' + name + b'":1}\n'])
    assert str(found).startswith("Line 2: not a line of an export")
    assert str(found).isprintable()
    assert len(str(found)) < 4_000


@pytest.mark.parametrize("more", [b"\n", b"{}", GOOD[0], sealed([])[-1]])
def test_lines_behind_the_last_one_are_refused(more: bytes) -> None:
    assert refusal([*sealed(GOOD), more]).line == 6


def test_lines_may_come_without_their_ends() -> None:
    with Ledger.open("memory:") as ledger:
        ledger.append("s", NewEvent({"a": "\r\n\u2028"}, "note"))
        lines = b"".join(ledger.export_lines())
    assert lines.count(b"\n") == len(lines.splitlines())


ROLE = {"type": "message.appended", "payload": b'{"role":"user"}'}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (ROLE | {"payload": b'{"role":{"a":1}}'}, "message.appended: payload.role"),
        (ROLE | {"payload": b"{}"}, "message.appended: payload.role: Field required"),
        (ROLE | {"payload": b'{"colour":"red","role":"user"}'}, "message.appended: payload.colour"),
        (ROLE | {"schema_version": 2}, "message.appended: schema_version: "),
        (ROLE | {"schema_version": 2, "content_type": "x/y"}, "known up to version 1, got 2"),
    ],
)
def test_a_known_type_is_held_to_its_model(fields: dict[str, Any], reason: str) -> None:
    refused = refusal(sealed(forged("s", {}, ROLE, fields)))
    assert (refused.line, reason in refused.reason) == (4, True), refused.reason


def test_what_the_catalogue_does_not_know_is_imported_untouched() -> None:
    older = {"type": "order.paid", "payload": b'{"euros":"1"}'}
    events = [older, older | {"schema_version": 9}, ROLE | {"content_type": "x/y"}]
    catalogue = default_catalogue().copy()
    catalogue.register(Paid, "order.paid", 2)
    lines = sealed(forged("s", *events))
    with Ledger.open("memory:") as ledger:
        assert ledger.import_lines(lines).stored == 3
        assert list(ledger.export_lines()) == lines
    assert "order.paid: schema_version" in refusal(lines, catalogue=catalogue).reason
    lines = sealed(forged("s", older, older | {"schema_version": 2, "payload": b'{"cents":100}'}))
    with Ledger.open("memory:", catalogue=catalogue) as ledger:
        assert ledger.import_lines(lines).stored == 2


def test_what_is_here_already_is_not_looked_into() -> None:
    newer = Catalogue()
    newer.register(Paid, "message.appended", 2)
    with Ledger.open("memory:", catalogue=newer) as ledger:
        ledger.append("s", NewEvent({"cents": 1}, "message.appended"))
        lines = list(ledger.export_lines())
        older = Ledger(ledger.backend)
        assert older.import_lines(lines).already_stored == 1
    assert "known up to version 1, got 2" in refusal(lines).reason
