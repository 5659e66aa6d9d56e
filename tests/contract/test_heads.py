"""The ends of many sessions at one moment."""

from typing import Any

import pytest

from ledger import Head, InvalidArgument, InvalidEvent, Limits
from ledger.limits import SESSION_IDS_LIMIT_MAX
from tests.support.builders import note, notes, only_sync


def test_heads_are_of_one_tenant_and_say_what_was_deleted(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=8)
    odd = ["", "\x01\"'\\", "ü" * 512, "a/../b", "[]"]
    for number, session_id in enumerate(["s", *odd[1:]], 1):
        ledger.append(session_id, notes("x" * number))
    ledger.append("s", note(), tenant="t")
    ledger.append("u", notes("abc"), tenant="t")
    ledger.delete("s")
    ledger.append("s", note())
    ledger.delete(odd[1])
    heads = ledger.heads(["nothing", "s", *odd[1:], "u", "s"])
    assert list(heads) == ["nothing", "s", *odd[1:], "u"]
    found = [(head.sequence, head.deleted, head.visible) for head in heads.values()]
    assert found == [
        (0, 0, False),
        (3, 2, True),
        (3, 3, False),
        *((number, 0, True) for number in (3, 4, 5)),
        (0, 0, False),
    ]
    assert [heads[one].incarnation for one in ("nothing", "s", odd[1])] == [0, 2, 3]
    assert heads["nothing"] == Head()
    last = ledger.read("s")[-1]
    assert (heads["s"].event_hash, heads["s"].recorded_us) == (last.event_hash, last.recorded_us)
    assert ledger.heads(["u", "s"], tenant="t")["u"].sequence == 3
    assert ledger.heads([], tenant="t") == {}


@only_sync
def test_heads_that_cannot_be_are_refused_by_name(open_ledger: Any) -> None:
    ledger = open_ledger(limits=Limits(batch_events_max=3))
    many = [f"s{number}" for number in range(SESSION_IDS_LIMIT_MAX + 1)]
    assert len(ledger.heads([*many[1:], *many[1:]])) == SESSION_IDS_LIMIT_MAX
    for given in ("s", None, 7, many):
        with pytest.raises(InvalidArgument) as caught:
            ledger.heads(given)
        assert caught.value.argument == "session_ids"
    for given in (["a", None], [""], ["\ud800"]):
        with pytest.raises(InvalidEvent) as refused:
            ledger.heads(given)
        assert refused.value.field == "session_id"
    with pytest.raises(InvalidEvent) as refused:
        ledger.heads(["s"], tenant=None)
    assert refused.value.field == "tenant"
