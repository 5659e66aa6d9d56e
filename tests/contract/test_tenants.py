"""Tenants: the same ids on both sides of the wall, and nothing goes through it."""

from typing import Any

import pytest

from ledger import EventIdReused, SequenceConflict
from tests.support.builders import all_session_ids, note, notes, on_memory, texts, whole_feed

STRANGE = [
    "../",
    "../../etc/passwd",
    "a:b",
    "ü🙂",
    "e\u0301",
    " leading and trailing ",
    "new\nline",
    "%s%d{}",
    "'; DROP TABLE events; --",
    "\\",
    "\u202e\u200b",
    "null",
    "x" * 1_024,
    "🙂" * 256,
]
READERS = {
    "read": lambda ledger, tenant: texts(ledger.read("s", tenant=tenant)),
    "read wait": lambda ledger, tenant: texts(ledger.read("s", tenant=tenant, wait=0.01)),
    "read deleted": lambda ledger, tenant: texts(ledger.read("s", tenant=tenant, deleted=True)),
    "read lineage": lambda ledger, tenant: texts(ledger.read("s", tenant=tenant, lineage=True)),
    "get": lambda ledger, tenant: ledger.get("s", "e", tenant=tenant),
    "head": lambda ledger, tenant: ledger.head("s", tenant=tenant),
    "feed": lambda ledger, tenant: texts(whole_feed(ledger, tenant=tenant)),
    "session ids": lambda ledger, tenant: all_session_ids(ledger, tenant=tenant),
}


@pytest.mark.parametrize(("mine", "theirs"), [("t", "u"), ("", "t"), ("t", ""), ("t", "t ")])
def test_u_14_what_is_theirs_is_invisible_to_me(ledger: Any, mine: str, theirs: str) -> None:
    def seen(tenant: str) -> dict[str, Any]:
        return {name: read(ledger, tenant) for name, read in READERS.items()}

    nothing = seen(mine)
    ledger.append("s", note("secret", event_id="e"), tenant=theirs)
    assert seen(mine) == nothing
    assert [name for name, found in seen(theirs).items() if found == nothing[name]] == []


def test_u_14_what_is_theirs_cannot_be_changed_by_me(ledger: Any) -> None:
    ledger.append("s", note("theirs", event_id="e"), tenant="u")
    before = ledger.read("s", tenant="u")
    assert ledger.append("s", note("mine", event_id="e"), tenant="t", expected=0).sequence == 1
    assert ledger.delete("s", tenant="t")
    assert not ledger.delete("s", tenant="v")
    assert ledger.read("s", tenant="u") == before


def test_tenant_and_session_do_not_run_together(ledger: Any) -> None:
    keys = [("a", "b/c"), ("a/b", "c"), ("", "a/b/c"), ("ab", "c"), ("a", "bc")]
    for number, (tenant, session) in enumerate(keys):
        ledger.append(session, note(str(number)), tenant=tenant)
    found = [texts(ledger.read(session, tenant=tenant)) for tenant, session in keys]
    assert found == [["0"], ["1"], ["2"], ["3"], ["4"]]


def test_u_17_any_text_is_a_session_id(ledger: Any) -> None:
    for session in STRANGE:
        ledger.append(session, notes([session, "b"]))
    for session in STRANGE:
        assert texts(ledger.read(session)) == [session, "b"]
        assert ledger.head(session) == 2
    assert sorted(all_session_ids(ledger)) == sorted(STRANGE)


def test_u_17_any_text_is_a_tenant_or_an_id_in_the_header(ledger: Any) -> None:
    ids = [text for text in STRANGE if len(text.encode()) <= 512]
    for text in ids:
        header = {"run_id": text, "actor": text, "event_id": text, "metadata": {text: text}}
        ledger.append("s", note(text, **header), tenant=text)
    for text in ids:
        event = ledger.get("s", text, tenant=text)
        assert (event.run_id, event.actor, event.metadata) == (text, text, {text: text})
        assert ledger.read("s", tenant=text, run_id=text) == [event]
        assert whole_feed(ledger, tenant=text) == [event]


def test_ids_that_look_alike_are_different_sessions(ledger: Any) -> None:
    alike = ["s", "S", "s ", " s", "é", "e\u0301", "ｓ"]
    for session in alike:
        ledger.append(session, note(session))
    assert [texts(ledger.read(session)) for session in alike] == [[session] for session in alike]
    assert sorted(all_session_ids(ledger)) == sorted(alike)


@on_memory
def test_errors_name_the_callers_own_tenant(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"), tenant="t")
    with pytest.raises(SequenceConflict) as conflict:
        ledger.append("s", note(), tenant="t", expected=0)
    with pytest.raises(EventIdReused) as reused:
        ledger.append("s", note("b", event_id="e"), tenant="t")
    assert (conflict.value.tenant, reused.value.tenant) == ("t", "t")
