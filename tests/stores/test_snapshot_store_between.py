"""What happens between two questions of the snapshot store; names carry agent-base's ids."""

from typing import Any

import pytest

from ledger import NewEvent, SequenceConflict
from projections import Views
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

    for after in (1, 2, 3):
        old = store.save(session_of(turns=3, external_id="ext").allowing("x"))
        found = interrupted(plans.load("s", None), after, lambda: store.delete("s"))
        assert found in (None, old)
        assert (found is None) == (after < 3)
        old = store.save(session_of(turns=3).allowing("x"))
        found = interrupted(plans.load("s", None), after, begin_anew)
        assert found == (store.load("s") if after < 3 else old)
        store.delete("s")


@only_sync
def test_c_13_whatever_comes_between_is_not_overwritten(ledger: Any) -> None:
    store, plans = store_of(ledger), SnapshotWriting(ledger, Views(ledger), "")
    for after in range(1, 4):
        loaded = store.save(session_of(key=f"s{after}"))
        more = loaded.with_message(ChatMessage.user("more"))
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
