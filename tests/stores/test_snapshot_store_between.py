"""What happens between two questions of the snapshot store; names carry agent-base's ids."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ledger import Append, NewEvent, SequenceConflict
from ledger.records import Unit
from projections import ProjectionFailed, Views
from projections.session_stores.snapshot import ChatMessage
from projections.session_stores.snapshot.writing import SnapshotWriting
from tests.support.agent_sessions import contents, session_of, store_of
from tests.support.builders import only_sync
from tests.support.interrupting import interrupted

SAID = NewEvent({"role": "user", "content": "Wait!"}, "message.appended")


@only_sync
def test_c_05_a_session_deleted_while_it_is_loaded_is_there_whole_or_not_at_all(
    ledger: Any,
) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")

    def begin_anew() -> None:
        store.delete("s")
        store.save(session_of(turns=1))

    for key, calls in (("s", 1), ("ext", 3)):  # by its id it is read at once
        for after in range(1, calls + 1):
            old = store.save(session_of(turns=3, external_id="ext").allowing("x"))
            found = interrupted(plans.load(key, None), after, lambda: store.delete("s"))
            assert found == (old if after == calls else None)
    old = store.save(session_of(turns=3).allowing("x"))
    assert interrupted(plans.load("s", None), 1, begin_anew) == old
    # Who saves what was loaded before looks twice, and sees what is there now.
    for after in (1, 2):
        begun = msgspec.structs.replace(store.load("s"), version=0)
        with pytest.raises(SequenceConflict):
            interrupted(plans.save(begun, ()), after, begin_anew)
        assert contents(store.load("s")) == contents(session_of(turns=1))


@only_sync
def test_c_13_whatever_comes_between_is_not_overwritten(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    for after in (1, 2):
        loaded = store.save(session_of(key=f"s{after}"))
        # One that a method made of it knows what was stored, and does not look.
        more = msgspec.structs.replace(loaded.with_message(ChatMessage.user("more")))
        with pytest.raises(SequenceConflict):
            interrupted(
                plans.save(more, ()),
                after,
                lambda after=after: ledger.append(f"s{after}", SAID),  # type: ignore[misc] # of this round
            )
        assert contents(store.load(f"s{after}"))[-1] == "Wait!"
    # One that is made by somebody else in this very moment is not replaced.
    for after in (1, 2):
        key = f"new{after}"
        with pytest.raises(SequenceConflict):
            interrupted(
                plans.save(session_of(key=key), ()),
                after,
                lambda key=key: ledger.append(key, SAID),  # type: ignore[misc] # of this round
            )
        assert contents(store.load(key)) == ["Wait!"]
    # And one that went is made again, whole.
    for after in range(1, 4):
        store.save(session_of(key="gone"))
        store.delete("gone")
        saved = interrupted(
            plans.save(session_of(key="gone"), ()),
            after,
            lambda: ledger.append("gone", NewEvent({}, "note")),
        )
        assert store.load("gone") == saved
        assert contents(saved) == contents(session_of())
        store.delete("gone")


@only_sync
def test_c_09_an_event_beside_a_deletion_is_before_it_or_begins_what_was_named(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    told = NewEvent({}, "note")
    for key, calls in (("ext", 3), ("s", 2)):
        for after in range(1, calls + 1):
            store.save(session_of(external_id="ext"))
            plan = plans.append_event(
                key, told, run_id=None, event_id=str(after) + key, call_id=None
            )
            interrupted(plan, after, lambda: store.delete("s"))
            found = {name: [one.type for one in ledger.read(name)] for name in ("s", "ext")}
            assert found == {"s": [], "ext": []} | ({key: ["note"]} if after < calls else {})
            store.delete(key)
    # The view may have left a session's first fact out, and then does not tell its incarnation.
    [part] = ledger.door.batch([Append("left", [NewEvent({}, "session.created")])]).unit.parts
    draft = replace(part.drafts[0], payload=b'{"agent_id":"%b"}' % (b"a" * 20_000))
    ledger.backend.append([Unit((replace(part, drafts=(draft,)),))], wait=True)
    views, [first] = Views(ledger), ledger.read("left")
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    views.skip("sessions", bucket=first.bucket, position=first.position, reason="long", by="me")
    ledger.append("left", told)
    assert views.session("left").first_sequence == 2  # type: ignore[union-attr] # it is there
    assert store.append_event("left", NewEvent({}, "another")) == 3
