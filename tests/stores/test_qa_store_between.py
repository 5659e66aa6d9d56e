"""What happens between two questions of the question-and-answer store; names carry cognee's ids."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from ledger import NewEvent
from projections.readers.session_lists import sessions_page
from projections.session_stores.qa import (
    SessionFeedbackEntry,
    SessionQAUpdate,
    Stored,
    ledger_session_id,
)
from projections.session_stores.qa import entries as qa_entries
from projections.session_stores.qa import guidance as qa_guidance
from projections.session_stores.qa import pruning as qa_pruning
from projections.session_stores.qa.lifecycle_plans import LifecyclePlans
from tests.support.builders import only_sync
from tests.support.cognee import (
    DATASET,
    START,
    Clock,
    asked,
    lesson,
    lifecycle_of,
    questions,
    step,
    store_of,
)
from tests.support.interrupting import calls_of, interrupted
from tests.support.views import views_of


@only_sync
def test_br_21_an_answer_beside_a_deletion_is_its_owners_or_gone(ledger: Any) -> None:
    store = store_of(ledger)
    session = "k" * 900
    for user in ("u", "ö" * 256):  # the second name is not in the id of its session

        def delete(user: str = user) -> None:
            assert store.delete_session(session, user_id=user) is True

        for after in (1, 2):
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
            if after < 2:  # deleted before the answer was stored
                assert (found, named) == (["new"], [(session, user)])
                assert views_of(ledger).session(place.ledger_id).owner_id == user
                delete()
            else:
                assert (found, named) == ([], [])


@only_sync
def test_br_21_an_answer_beside_a_deletion_of_what_others_began(ledger: Any) -> None:
    store = store_of(ledger)
    place = store.core.place("s", "u")
    for after in (1, 2, 3):
        ledger.append(place.ledger_id, NewEvent({"n": after}, "note"))
        asked(store, "old", session="s", user_id="u")
        plan = qa_entries.create(store.core, place, "new", "a", None, qa_id=None, dataset_id=None)
        assert isinstance(interrupted(plan, after, lambda: ledger.delete(place.ledger_id)), Stored)
        is_behind = after < 3  # deleted before the answer was stored
        found = questions(store.get_all_qa_entries("s", user_id="u"))
        assert found == (["new"] if is_behind else [])
        if is_behind:
            assert views_of(ledger).session(place.ledger_id).owner_id == "u"
            ledger.delete(place.ledger_id)


@only_sync
def test_br_21_what_is_told_to_a_session_brings_no_view_up_to_date(ledger: Any) -> None:
    store, lives = store_of(ledger), lifecycle_of(store_of(ledger))
    asked(store, "old", session="s", user_id="u")
    guide = store.create_session_context("s", lesson(id="c"), user_id="u")
    views, key = views_of(ledger), store.core.place("s", "u").ledger_id
    assert views.session(key).last_sequence == guide.sequence
    assert views.context(key)  # and this view, too, is as far as the log is
    told: list[Callable[[], Any]] = [
        lambda: store.create_qa_entry("s", "new", "a", qa_id="qa", user_id="u"),
        lambda: store.save_trace_step("s", step(trace_id="t"), user_id="u"),
        lambda: store.update_session_context("s", "c", {"content": "Be."}, user_id="u"),
        lambda: store.rate_session_context("s", "c", helpful=1, user_id="u"),
        lambda: store.create_session_context("s", lesson(id="d"), user_id="u"),
        lambda: lives.ensure_and_touch("s", user_id="u"),
        lambda: lives.advance_watermark("s", "x", 1, user_id="u"),
        lambda: store.delete_session_context_entry("s", "c", user_id="u"),
    ]
    for call in told:
        assert call()
    assert len(ledger.read(key, after=guide.sequence)) == len(told)
    assert views.session(key, consistency="eventual").last_sequence == guide.sequence
    assert views.session(key).last_sequence == guide.sequence + len(told)


@only_sync
def test_bp_18_an_id_whose_answer_goes_meanwhile_is_free(ledger: Any) -> None:
    store = store_of(ledger, clock=Clock())
    place = store.core.place("s", "u")
    for after in (1, 2):
        store.create_qa_entry("s", "old", "a", qa_id="qa", user_id="u")
        plan = qa_entries.create(store.core, place, "old", "a", None, qa_id="qa", dataset_id=None)
        stored = interrupted(plan, after, lambda: store.delete_session("s", user_id="u"))
        assert stored.id == "qa"
        assert store.latest_qa_id("s", user_id="u") == ("qa" if after < 2 else None)
        store.delete_session("s", user_id="u")


@only_sync
def test_bp_18_m_22_what_expired_is_not_known_to_a_session_that_goes_on_meanwhile(
    ledger: Any,
) -> None:
    views = views_of(ledger)
    for after in (1, 2, 3):
        for marks in (True, False):
            clock = Clock()
            options = {"views": views, "clock": clock, "tenant": f"{after} {marks}"}
            store = store_of(ledger, session_ttl_s=TTL, **options)
            said_by_others(store)  # with which it is emptied, and does not end
            store.create_qa_entry("s", "q", "a", qa_id="qa")
            lives, place = lifecycle_of(store), store.core.place("s", None)
            lives.advance_watermark("s", "x", 1)
            clock.forward(TTL)
            plan: Any = qa_entries.create(
                store.core, place, "q", "a", None, qa_id="qa", dataset_id=None
            )
            if marks:
                plan = LifecyclePlans(store.core).advance(place, "x", 1, None, back=False)
            found = interrupted(plan, after, lambda store=store: asked(store, "new"))
            if marks:
                assert found is (after < 3)  # which looks whether the session is there
                assert lives.watermark("s", "x").sequence == found
            else:
                assert sorted(questions(store.get_all_qa_entries("s"))) == ["new", "q"]


@only_sync
def test_m_22_a_consumer_is_ahead_of_no_session_that_begins_meanwhile(ledger: Any) -> None:
    store = store_of(ledger)
    plan = LifecyclePlans(store.core).advance(store.core.place("s", None), "x", 2, None, back=False)
    assert interrupted(plan, 1, lambda: asked(store, "new")) is True
    assert lifecycle_of(store).watermark("s", "x").sequence == ledger.head("s") - 1


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


TTL = 100
DREW: dict[str, Any] = {"used_graph_element_ids": {"node_ids": ["n1"]}}


def said_by_others(store: Any) -> None:
    """Let another store say something long ago, which keeps no session from expiring."""
    said = NewEvent({"role": "user", "content": "Hi"}, "message.appended", occurred_at=START)
    store.core.ledger.append("s", said, tenant=store.core.tenant)


def mixed(store: Any) -> None:
    """Make a session of which some drew on the element n1, by every way, and some did not."""
    said_by_others(store)
    store.create_qa_entry("s", "drew", "a", qa_id="q1", **DREW)
    store.create_qa_entry("s", "did not", "a", qa_id="q2")
    store.save_trace_step("s", step(trace_id="t1", error_message="no n1"))
    store.save_trace_step("s", step(trace_id="t2"))
    store.create_session_context("s", SessionFeedbackEntry(id="f1", referenced_qa_ids=["q1"]))
    store.create_session_context("s", lesson(id="c1", source_feedback_ids=["f1"]))
    store.create_session_context("s", lesson(id="c2", source_trace_ids=["t2"]))
    store.create_qa_entry("s", "was taught", "a", used_session_context_ids=["c1"])
    store.set_graph_context("s", "a -> b")


def anew(store: Any, **said: Any) -> None:
    """Give another answer under an id that was there."""
    store.delete_qa_entry("s", "q1")
    store.create_qa_entry("s", "anew", "a", qa_id="q1", **said)


def begun_anew(store: Any, **said: Any) -> None:
    """Begin the session anew, of as many facts as it had, so that no number tells the two apart."""
    store.delete_session("s")
    said_by_others(store)
    for number in range(20):
        store.create_qa_entry("s", f"{number}", "a", qa_id=f"q{number}", **(said if number else {}))


MEANWHILE: dict[str, Callable[[Any], Any]] = {
    "what is another's": said_by_others,
    "an answer that drew": lambda store: store.create_qa_entry("s", "new", "a", **DREW),
    "an answer that did not": lambda store: asked(store, "new"),
    "a lesson of what goes": lambda store: store.create_session_context(
        "s", lesson(id="c3", source_trace_ids=["t1"])
    ),
    "a step that names an answer": lambda store: store.save_trace_step(
        "s", step(trace_id="t3", method_return_value="as in q1")
    ),
    "an amendment with ids": lambda store: store.update_qa_entry(
        "s", "q2", SessionQAUpdate(**DREW)
    ),
    "an amendment without": lambda store: store.update_qa_entry(
        "s", "q1", SessionQAUpdate(used_graph_element_ids=None)
    ),
    "another answer of an id": anew,
    "another answer of an id that drew": lambda store: anew(store, **DREW),
    "a deletion of an entry": lambda store: store.delete_session_context_entry("s", "f1"),
    "a deletion": lambda store: store.delete_session("s"),
    "a beginning anew": begun_anew,
    "a beginning anew that drew": lambda store: begun_anew(store, **DREW),
    "another who forgets": lambda store: store.forget_elements(["n1"]),
    "another who prunes": lambda store: store.prune(),
}
#: What takes away, as a plan over the calls of a store.
TAKERS: dict[str, Callable[[Any], Any]] = {
    "forgets": lambda store: qa_pruning.forget_elements(store.core, ["n1"], None),
    "prunes": lambda store: qa_pruning.prune(store.core, ()),
    "expires": lambda store: qa_entries.create(
        store.core, store.core.place("s", None), "late", "a", None, qa_id=None, dataset_id=None
    ),
}


def shown(store: Any) -> Any:
    """Return what there is in the session, without the store that may find it expired."""
    tenant = store.core.tenant
    plain = store_of(store.core.ledger, views=store.core.views, tenant=tenant)
    return (
        questions(plain.get_all_qa_entries("s")),
        [one.trace_id for one in plain.read_trace_steps("s")],
        [one.id for one in plain.get_session_context("s")],
        plain.get_graph_context("s"),
        len(store.core.views.messages("s", tenant=tenant)),
    )


def store_with_session(ledger: Any, views: Any, taker: str, tenant: str) -> Any:
    """Open a store of a mixed session, which has expired if that is what takes away."""
    ttl = {"session_ttl_s": TTL} if taker == "expires" else {}
    clock = Clock()
    store = store_of(ledger, views=views, tenant=tenant, clock=clock, **ttl)
    if not ledger.head("s", tenant="copied"):
        mixed(store_of(ledger, views=views, tenant="copied", clock=clock))
    told = [
        NewEvent(one.data, one.type, occurred_at=one.occurred_at, metadata=one.metadata)
        for one in ledger.read("s", tenant="copied")
    ]
    ledger.append("s", told, tenant=tenant)
    clock.forward(TTL)
    return store


@only_sync
@pytest.mark.parametrize("taker", TAKERS)
def test_bp_43_m_25_u_24_what_happens_meanwhile_happened_before_or_after(
    ledger: Any, taker: str
) -> None:
    take, views = TAKERS[taker], views_of(ledger)
    for name, meanwhile in MEANWHILE.items():
        before = store_with_session(ledger, views, taker, f"{name} before")
        meanwhile(before)
        _, calls = calls_of(take(before))
        behind = store_with_session(ledger, views, taker, f"{name} behind")
        calls = max(calls, calls_of(take(behind))[1])
        meanwhile(behind)
        for after in range(1, calls + 1):
            store = store_with_session(ledger, views, taker, f"{name} {after}")
            interrupted(take(store), after, lambda store=store, do=meanwhile: do(store))
            assert shown(store) in (shown(before), shown(behind)), (name, after)


def beside(plan: Any, write: Callable[[], Any], most: int) -> int:
    """Run a plan of sync calls beside who writes after each, at most so often; return how often."""
    reply, writes = next(plan), 0
    while True:
        if writes < most:
            write()
            writes += 1
        try:
            reply = plan.send(reply)
        except StopIteration:
            return writes


@only_sync
@pytest.mark.parametrize("taker", TAKERS)
def test_bp_43_m_25_u_15_beside_who_goes_on_writing_a_session_is_read_whole_once(
    ledger: Any, taker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_with_session(ledger, views_of(ledger), taker, "t")
    asked(store_of(ledger, tenant="t", clock=lambda: START), *"abcdefghijklmnopqrstuvwxyz")
    head = ledger.head("s", tenant="t")
    core, whole = store.core, []
    rows_of, events_of = core.views.together, core.ledger.read

    def rows(*args: Any, **options: Any) -> Any:
        whole.append("rows")
        return rows_of(*args, **options)

    def events(*args: Any, **options: Any) -> Any:
        found = events_of(*args, **options)
        whole.extend(["events"] * (len(found) >= head))
        return found

    monkeypatch.setattr(core.views, "together", rows)
    monkeypatch.setattr(core.ledger, "read", events)
    writes = beside(TAKERS[taker](store), lambda: said_by_others(store), 40)
    monkeypatch.undo()
    assert writes == 40  # as long as somebody wrote after each call, others were faster
    assert sorted(whole) == (["rows"] if taker == "forgets" else ["events", "rows"])
    assert [one for one in shown(store)[0] if one in ("drew", "was taught")] == []


@only_sync
def test_bp_30_bp_31_an_entry_that_becomes_one_of_the_other_kind_is_there_all_the_time(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    place = store.core.place("s", None)
    kinds = lesson(id="c"), SessionFeedbackEntry(id="c", raw_text="x")
    plans: list[Callable[[], Any]] = [
        lambda: qa_guidance.entries(store.core, place),
        lambda: qa_guidance.delete_all(store.core, place),
        lambda: qa_guidance.delete(store.core, place, "c"),
    ]
    for first, second in (kinds, kinds[::-1]):
        for number, plan in enumerate(plans):
            store.create_session_context("s", first)
            _, calls = calls_of(plan())
            for after in range(1, calls + 1):
                store.create_session_context("s", first)
                found = interrupted(
                    plan(), after, lambda put=second: store.create_session_context("s", put)
                )
                assert ([one.id for one in found] == ["c"]) if number == 0 else found, after
