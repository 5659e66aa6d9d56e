"""What happens between two questions of the snapshot store; names carry agent-base's ids."""

from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ledger import NewEvent, SequenceConflict
from projections import Views
from projections.session_stores.snapshot import ChatMessage
from projections.session_stores.snapshot.writing import SnapshotWriting
from tests.support.agent_sessions import contents, session_of, store_of
from tests.support.builders import only_sync
from tests.support.interrupting import calls_of, interrupted
from tests.support.skipping import append_left_out

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
def test_c_09_an_event_is_told_without_bringing_a_view_up_to_date(ledger: Any) -> None:
    views = Views(ledger)
    store, plans = store_of(ledger), SnapshotWriting(ledger, views, "")
    version = store.save(session_of(turns=1)).version
    assert views.session("s").last_sequence == version
    for number in (1, 2):
        told = plans.append_event(
            "s", NewEvent({"n": number}, "note"), run_id=None, event_id=None, call_id=None
        )
        assert calls_of(told) == (version + number, 2)  # whose it is, and the append
        assert views.session("s", consistency="eventual").last_sequence == version
    assert [one.sequence for one in store.events("s", after=version)] == [version + 1, version + 2]
    assert views.session("s", consistency="eventual").last_sequence == version
    assert views.session("s").last_sequence == version + 2


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
    with pytest.raises(SequenceConflict):
        interrupted(plans.save(session_of(key="new"), ()), 1, lambda: ledger.append("new", SAID))
    assert contents(store.load("new")) == ["Wait!"]
    # And one that went is made again, whole.
    store.save(session_of(key="gone"))
    store.delete("gone")
    saved = interrupted(
        plans.save(session_of(key="gone"), ()),
        1,
        lambda: ledger.append("gone", NewEvent({}, "note")),
    )
    assert store.load("gone") == saved
    assert contents(saved) == contents(session_of())


@only_sync
def test_c_01_a_new_session_is_saved_without_bringing_a_view_up_to_date(ledger: Any) -> None:
    views = Views(ledger)
    plans = SnapshotWriting(ledger, views, "")
    ledger.append("other", SAID)
    assert views.session("other").last_sequence == 1  # type: ignore[union-attr] # it is there
    ledger.append("other", NewEvent({}, "note"))
    saved, calls = calls_of(plans.save(session_of(key="other new"), ()))
    assert calls == 2  # whether it is there, and the append
    before = views.session("other", consistency="eventual")
    assert before.last_sequence == 1  # type: ignore[union-attr] # it was there before
    assert plans.ledger.head("other new") == saved.version


@only_sync
def test_c_09_an_event_beside_a_deletion_is_before_it_or_begins_what_was_named(ledger: Any) -> None:
    told = NewEvent({}, "note")
    # In its first life, and in a later one, in which it is asked whether the id is new.
    for key, calls, later in (("ext", 3, False), ("s", 2, False), ("ext", 4, True), ("s", 3, True)):
        for after in range(1, calls + 1):
            tenant = f"{key} {after} {later}"
            store = store_of(ledger, tenant=tenant)
            plans = SnapshotWriting(ledger, Views(ledger), tenant)
            for _ in range(1 + later):
                store.delete("s")
                store.save(session_of(external_id="ext"))
            plan = plans.append_event(key, told, run_id=None, event_id="told", call_id=None)
            interrupted(plan, after, lambda store=store: store.delete("s"))  # type: ignore[misc] # of this round
            found = {
                name: [one.type for one in ledger.read(name, tenant=tenant)]
                for name in ("s", "ext")
            }
            assert found == {"s": [], "ext": []} | ({key: ["note"]} if after < calls else {})
    store = store_of(ledger)
    # The view may have left a session's first fact out, and then does not tell its incarnation.
    append_left_out(ledger, "left", "session.created")
    views = Views(ledger)
    ledger.append("left", told)
    assert views.session("left").first_sequence == 2  # type: ignore[union-attr] # it is there
    assert store.append_event("left", NewEvent({}, "another")) == 3


@only_sync
def test_c_13_an_event_that_was_told_before_does_not_hide_what_others_wrote(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    told = NewEvent({}, "note", event_id="told")
    for number, known in enumerate((True, False)):
        saved = store.save(session_of(key=f"s{number}"))
        given = saved if known else replace(saved)
        ledger.append(f"s{number}", [SAID, told])
        with pytest.raises(SequenceConflict):  # it has not been told as a part of this session
            store.save(given, events=[told])
        latest = store.load(f"s{number}")
        assert store.save(latest if known else replace(latest), events=[told]) == latest
        # Also if both are written after the session was read, and before it is saved.
        at_once = NewEvent({}, "note", event_id="at once")
        both = [replace(SAID, event_id="said at once"), at_once]
        with pytest.raises(SequenceConflict):
            interrupted(
                plans.save(replace(latest), [at_once]),
                2,
                lambda key=f"s{number}", both=both: ledger.append(key, both),  # type: ignore[misc] # of this round
            )
        assert contents(store.load(f"s{number}"))[-2:] == ["Wait!", "Wait!"]
        # Whose answer was lost tells it again, and goes on with the session as it was stored.
        latest, again = store.load(f"s{number}"), NewEvent({}, "note", event_id="again")
        first = store.save(latest, events=[again])
        assert store.save(latest, events=[again]) == first
        assert store.save(first.with_message(ChatMessage.user("more"))).turn_count
        assert contents(store.load(f"s{number}"))[-3:] == ["Wait!", "Wait!", "more"]


@only_sync
def test_c_13_what_the_view_left_out_at_the_end_is_in_no_saves_way(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    saved = store.save(session_of())
    append_left_out(ledger, "s", "session.rekeyed")
    for load in (lambda: saved, partial(store.load, "s")):
        more, calls = calls_of(plans.save(load().with_message(ChatMessage.user("more")), ()))
        assert calls == 3  # and one that was refused, which tells where the session is
        assert (more, more.version) == (store.load("s"), ledger.head("s"))
        append_left_out(ledger, "s", "session.rekeyed")
        with pytest.raises(SequenceConflict):
            store.save(replace(saved.with_message(ChatMessage.user("stale"))))
