"""What happens between two questions of the question-and-answer store; names carry cognee's ids."""

from itertools import pairwise
from typing import Any

from ledger import NewEvent
from projections.readers.session_lists import sessions_page
from projections.session_stores.qa import Stored, ledger_session_id
from projections.session_stores.qa import entries as qa_entries
from projections.session_stores.qa import pruning as qa_pruning
from tests.support.builders import only_sync
from tests.support.cognee import DATASET, Clock, asked, lifecycle_of, questions, store_of
from tests.support.interrupting import calls_of, interrupted
from tests.support.views import views_of


@only_sync
def test_br_21_an_answer_beside_a_deletion_is_its_owners_or_gone(ledger: Any) -> None:
    store = store_of(ledger)
    session = "k" * 900
    for user in ("u", "ö" * 256):  # the second name is not in the id of its session

        def delete(user: str = user) -> None:
            assert store.delete_session(session, user_id=user) is True

        for after in (1, 2, 3):
            asked(store, "old", session=session, user_id=user)
            place = store.core.place(session, user)
            plan = qa_entries.create(
                store.core, place, "new", "a", None, qa_id=None, dataset_id=None
            )
            assert isinstance(interrupted(plan, after, delete), Stored)
            found = questions(store.get_all_qa_entries(session, user_id=user))
            listed = lifecycle_of(store).session_records(user_id=user).items
            named = [(one.session_id, one.user_id) for one in listed]
            told = ledger.read(place.ledger_id, tenant=store.core.tenant, deleted=True)
            lives = ["", *(one.type for one in told)]
            behind = {one for before, one in pairwise(lives) if before in ("", "session.deleted")}
            assert behind == {"session.created"}  # nothing is ever of nobody
            if after < 3:  # deleted before the answer was stored
                assert (found, named) == (["new"], [(session, user)])
                assert views_of(ledger).session(place.ledger_id).owner_id == user
                delete()
            else:
                assert (found, named) == ([], [])


@only_sync
def test_bp_18_an_id_whose_answer_goes_meanwhile_is_free(ledger: Any) -> None:
    store = store_of(ledger, clock=Clock())
    place = store.core.place("s", "u")
    for after in (1, 2, 3):
        store.create_qa_entry("s", "old", "a", qa_id="qa", user_id="u")
        plan = qa_entries.create(store.core, place, "old", "a", None, qa_id="qa", dataset_id=None)
        stored = interrupted(plan, after, lambda: store.delete_session("s", user_id="u"))
        assert stored.id == "qa"
        assert store.latest_qa_id("s", user_id="u") == ("qa" if after < 3 else None)
        store.delete_session("s", user_id="u")


@only_sync
def test_m_25_a_session_that_begins_anew_is_not_of_a_deleted_dataset(ledger: Any) -> None:
    store = store_of(ledger)

    def begin_anew() -> None:
        store.delete_session("s")
        asked(store, "new")

    for after in (1, 2, 3, 4):
        asked(store, "old", dataset_id=DATASET)
        count = interrupted(qa_pruning.delete_dataset(store.core, DATASET), after, begin_anew)
        assert count == (after == 4)  # which came last
        assert questions(store.get_all_qa_entries("s")) == ["new"]
        store.delete_session("s")


@only_sync
def test_l_05_a_session_that_is_said_to_be_its_owners_meanwhile_is_listed_once(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    key = ledger_session_id("s", "u")

    def page() -> Any:
        return sessions_page(
            store.core.views._reader,
            "",
            "eventual",
            order_by="last_activity_at",
            descending=True,
            limit=5,
            cursor=None,
            owner_prefix="cognee:u:",
            filters={"owner_id": "u"},
        )

    def become_owned() -> None:
        asked(store, "q", user_id="u")
        assert views_of(ledger).session(key).owner_id == "u"

    ledger.append(key, NewEvent({"status": "active"}, "session.created"))
    views_of(ledger).catch_up()
    _, calls = calls_of(page())
    assert calls > 1
    store.delete_session("s", user_id="u")
    for after in range(1, calls):
        ledger.append(key, NewEvent({"status": "active"}, "session.created"))
        views_of(ledger).catch_up()
        found = interrupted(page(), after, become_owned)
        assert [one.session_id for one in found.items] == [key], after
        store.delete_session("s", user_id="u")
