"""Sessions of the question-and-answer store as wholes: owners, ids, deletion, pruning, redaction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from ledger import (
    BackendUnavailable,
    CallError,
    InvalidArgument,
    LedgerClosed,
    NewEvent,
    RetryableError,
)
from projections.session_stores.qa import (
    IdTaken,
    SessionFeedbackEntry,
    SessionQAUpdate,
    default_session_id,
    ledger_session_id,
)
from projections.session_stores.snapshot import SessionBusy
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    DATASET,
    NOTHING,
    READS,
    Clock,
    asked,
    cache_of,
    filled,
    lesson,
    lifecycle_of,
    questions,
    read_all,
    step,
    store_of,
)
from tests.support.views import views_of

#: Every change of what `filled` wrote.
CHANGES: dict[str, Callable[..., Any]] = {
    "update": lambda store, **who: store.update_qa_entry(
        "s", "qa", SessionQAUpdate(answer="x"), **who
    ),
    "feedback": lambda store, **who: store.add_feedback("s", "qa", score=1, **who),
    "clear": lambda store, **who: store.delete_feedback("s", "qa", **who),
    "delete": lambda store, **who: store.delete_qa_entry("s", "qa", **who),
    "context": lambda store, **who: store.update_session_context("s", "c", {"content": "x"}, **who),
    "rate": lambda store, **who: store.rate_session_context("s", "c", helpful=1, **who),
    "context entry": lambda store, **who: store.delete_session_context_entry("s", "c", **who),
    "all context": lambda store, **who: store.delete_session_context("s", **who),
    "end": lambda store, **who: lifecycle_of(store).mark_ended("s", **who),
    "watermark": lambda store, **who: lifecycle_of(store).advance_watermark("s", "x", 1, **who),
    "session": lambda store, **who: store.delete_session("s", **who),
}


def test_br_16_bp_17_u_12_a_deleted_session_is_gone_with_all_its_kinds(ledger: Any) -> None:
    store = store_of(ledger)
    kinds: list[Callable[[], Any]] = [
        lambda: asked(store, "q", user_id="u"),
        lambda: store.save_trace_step("s", step(), user_id="u"),
        lambda: store.create_session_context("s", lesson(), user_id="u"),
        lambda: store.set_graph_context("s", "a -> b", user_id="u"),
        lambda: filled(store, user_id="u"),
    ]
    filled(store, "t", user_id="u")
    filled(store, "s", user_id="v")
    kept = [read_all(store, "t", user_id="u"), read_all(store, "s", user_id="v")]
    for write in kinds:
        write()
        lifecycle_of(store).advance_watermark("s", "x", 1, user_id="u")
        assert store.delete_session("s", user_id="u") is True
        assert store.delete_session("s", user_id="u") is False
        assert read_all(store, user_id="u") == NOTHING
        assert lifecycle_of(store).session_record("s", user_id="u") is None
        assert lifecycle_of(store).watermark("s", "x", user_id="u") is None
    assert [read_all(store, "t", user_id="u"), read_all(store, "s", user_id="v")] == kept
    filled(store, user_id="u")  # begins anew, with the ids of before
    assert questions(store.get_all_qa_entries("s", user_id="u")) == ["question"]
    assert store.search("question", user_id="u", limit=9).items[0].session_id == "s"


def test_br_17_bp_43_u_13_pruning_takes_ours_and_nothing_else(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.prune() == 0
    filled(store)
    filled(store, user_id="u")
    filled(store, "mixed")
    lifecycle_of(store).advance_watermark("mixed", "x", 3, state=[1])
    said = NewEvent({"role": "user", "content": "Hi"}, "message.appended")
    ledger.append("mixed", said)
    ledger.append("theirs", said)
    lifecycle_of(store).ensure_and_touch("begun", user_id="u")
    cache_of(store).set_value("k", 1)
    cache_of(store).log_usage("u", {"n": 1})
    store_of(ledger, tenant="other").create_qa_entry("s", "q", "a")
    assert store.prune() == 4
    assert read_all(store) == read_all(store, user_id="u") == read_all(store, "mixed") == NOTHING
    assert lifecycle_of(store).new_entries("mixed", "x") == []
    assert cache_of(store).get_value("k") is None
    assert cache_of(store).get_usage_logs("u") == []
    views = views_of(ledger)
    assert {one.session_id for one in views.sessions()} == {"mixed", "theirs"}
    assert [one.content for one in views.messages("mixed")] == ["Hi"]
    assert len(store_of(ledger, tenant="other").get_all_qa_entries("s")) == 1
    assert store.prune() == 0  # what is left is not ours
    filled(store)
    filled(store, "mixed")
    assert questions(store.get_all_qa_entries("s")) == ["question"]
    assert questions(store.get_all_qa_entries("mixed")) == ["question"]
    entries = store.get_all_qa_entries("mixed")
    assert lifecycle_of(store).new_entries("mixed", "x") == entries
    cache_of(store).set_value("k", 2)
    assert cache_of(store).get_value("k") == 2


def test_br_22_u_17_an_id_is_any_text(ledger: Any) -> None:
    store = store_of(ledger)
    texts = ["../x", "a:b", "a", "b:s", "ünïcode ☃", "%3A", "cognee:u:s", "cognee::s", "s.traces"]
    texts += ["_graph_context_s", "k" * 1_024]
    users = [None, "u", "%#a:b", "a%3Ab", "ö" * 256]
    for number, session_id in enumerate(texts):
        for user in users:
            store.create_qa_entry(session_id, f"{number} {user}", "a", user_id=user)
    for number, session_id in enumerate(texts):
        for user in users:
            [entry] = store.get_all_qa_entries(session_id, user_id=user)
            assert (entry.question, entry.user_id) == (f"{number} {user}", user)
    listed = lifecycle_of(store).session_records(everyone=True, limit=1_000).items
    expected = {(one, user) for one in texts for user in users}
    assert {(one.session_id, one.user_id) for one in listed} == expected
    assert len(listed) == len(expected)
    found = store.search("3", everyone=True, limit=1_000).items
    assert {(one.session_id, one.user_id) for one in found} == {(texts[3], one) for one in users}


@pytest.mark.parametrize("bad", ["", "  ", "nul\0", "k" * 1_025, 1.5, True, b"s"], ids=repr)
@on_memory
@only_sync
def test_m_01_what_cannot_be_an_id_is_refused_by_every_call(ledger: Any, bad: Any) -> None:
    store = store_of(ledger)
    ledger.close()  # also when there is no ledger to ask
    calls: list[Callable[[], Any]] = [
        lambda read=read: read(store, bad) for read, _ in READS.values()
    ]
    calls += [lambda read=read: read(store, "s", user_id=bad) for read, _ in READS.values()]
    calls += [lambda change=change: change(store, user_id=bad) for change in CHANGES.values()]
    calls += [
        lambda: store.create_qa_entry(bad, "q", "a"),
        lambda: store.create_qa_entry("s", "q", "a", qa_id=bad),
        lambda: store.update_qa_entry("s", bad, SessionQAUpdate()),
        lambda: store.delete_qa_entry("s", bad),
        lambda: store.add_feedback("s", bad),
        lambda: store.delete_feedback("s", bad),
        lambda: store.get_qa_entries_by_ids("s", [bad]),
        lambda: store.delete_session_context_entry("s", bad),
        lambda: store.update_session_context("s", bad, {}),
        lambda: store.delete_session(bad),
        lambda: lifecycle_of(store).session_record(bad),
        lambda: lifecycle_of(store).watermark("s", bad),
        lambda: ledger_session_id(bad),
        lambda: ledger_session_id("s", bad),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument):
            call()


@on_memory
@only_sync
def test_m_03_the_session_of_whoever_names_none_has_a_name_to_ask_for(ledger: Any) -> None:
    assert default_session_id() == "default_session"
    key = UUID(DATASET)
    for form in (key, str(key), key.hex):
        assert default_session_id(form) == f"default_session_{DATASET}"
    with pytest.raises(InvalidArgument, match="dataset_id"):
        default_session_id("my data")
    with pytest.raises(InvalidArgument, match="dataset_id"):
        store_of(ledger).create_qa_entry("s", "q", "a", dataset_id="my data")
    assert ledger_session_id("s") == "s"
    assert ledger_session_id("s", "u") == "cognee:u:s"


def test_u_14_nobody_sees_or_changes_what_is_anothers(ledger: Any) -> None:
    owners: list[tuple[str, dict[str, Any]]] = [
        (tenant, who) for tenant in ("a", "b") for who in ({}, {"user_id": "u"}, {"user_id": "v"})
    ]
    stores = {tenant: store_of(ledger, tenant=tenant) for tenant in ("a", "b")}
    for tenant, who in owners[:-1]:
        for name, change in CHANGES.items():
            assert change(stores[tenant], **who) is False, name
        filled(stores[tenant], **who)
        assert not any(value == NOTHING[k] for k, value in read_all(stores[tenant], **who).items())
        assert len(stores[tenant].search("question", **who).items) == 1
        lists = lifecycle_of(stores[tenant])
        assert [one.user_id for one in lists.session_records(**who).items] == [who.get("user_id")]
    tenant, who = owners[-1]
    before = [read_all(stores[one], **whose) for one, whose in owners[:-1]]
    for name, change in CHANGES.items():
        assert change(stores[tenant], **who) is False, name
    assert read_all(stores[tenant], **who) == NOTHING
    assert stores[tenant].search("question", **who).items == []
    assert lifecycle_of(stores[tenant]).session_records(**who).items == []
    filled(stores[tenant], **who)
    for name, change in CHANGES.items():
        assert change(stores[tenant], **who) is (name != "all context"), name
    assert [read_all(stores[one], **whose) for one, whose in owners[:-1]] == before


def test_u_16_what_is_handed_in_and_out_is_a_copy(ledger: Any) -> None:
    store = store_of(ledger)
    used = {"node_ids": ["n"]}
    params = {"q": [1]}
    store.create_qa_entry("s", "q", "a", used_graph_element_ids=used)
    store.save_trace_step("s", step(method_params=params))
    used["node_ids"].append("m")
    params["q"].append(2)
    store.get_all_qa_entries("s")[0].used_graph_element_ids["node_ids"].append("k")
    store.read_trace_steps("s")[0].method_params["q"].append(3)
    assert store.get_all_qa_entries("s")[0].used_graph_element_ids == {"node_ids": ["n"]}
    assert store.read_trace_steps("s")[0].method_params == {"q": [1]}
    given, state, value = lesson(id="c", extra={"x": [1]}), {"x": [1]}, {"x": [1]}
    lists, cache = lifecycle_of(store), cache_of(store)
    store.create_session_context("s", given)
    lists.advance_watermark("s", "indexer", 1, state=state)
    cache.set_value("k", value)
    cache.log_usage("u", value)
    kept: list[Callable[[], Any]] = [
        lambda: store.get_session_context("s")[0].extra,
        lambda: lists.watermark("s", "indexer").state,
        lambda: cache.get_value("k"),
        lambda: cache.get_usage_logs("u")[0],
    ]
    for one in (given.extra, state, value, *(read() for read in kept)):
        one["x"].append(2)
    assert [read() for read in kept] == [{"x": [1]}] * len(kept)


def test_m_10_u_18_an_outage_is_heard_of_and_is_no_wrong_call(open_ledger: Any) -> None:
    ledger = open_ledger()
    store = store_of(ledger)
    filled(store)
    ledger.close()
    for read, _ in READS.values():
        with pytest.raises(LedgerClosed):
            read(store, "s")
    for change in CHANGES.values():
        with pytest.raises(LedgerClosed):
            change(store)
    kinds = {
        InvalidArgument: CallError,
        IdTaken: CallError,
        SessionBusy: RetryableError,
        BackendUnavailable: RetryableError,
    }
    assert all(issubclass(error, kind) for error, kind in kinds.items())
    assert "another answer 'x'" in str(IdTaken("s", "answer", "x"))


def test_u_25_an_answer_says_where_it_stands_and_is_read_at_once(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(5):
        stored = store.create_qa_entry("s", f"q{number}", "a")
        assert stored.sequence == ledger.head("s")
        assert store.get_all_qa_entries("s")[-1].sequence == stored.sequence
    views = views_of(ledger)
    answer = ledger.append(
        "s", NewEvent({"qa_id": "x", "question": "q", "answer": "a"}, "qa.recorded")
    )
    views.wait_for(answer)
    assert views.qa("s", consistency="eventual")[-1].qa_id == store.latest_qa_id("s") == "x"


def test_m_25_u_24_what_drew_on_deleted_elements_is_redacted(ledger: Any) -> None:
    store = store_of(ledger, clock=Clock())

    def write(session: str, **who: Any) -> None:
        graph = {"used_graph_element_ids": {"node_ids": ["n1", "n2"], "edge_ids": ["e1"]}}
        store.create_qa_entry(session, "drew on it", "a", qa_id="q1", **graph, **who)
        store.create_qa_entry(session, "has nothing to do with it", "a", qa_id="q2", **who)
        given = SessionFeedbackEntry(id="f1", raw_text="good", referenced_qa_ids=["q1"])
        store.create_session_context(session, given, **who)
        store.create_session_context(session, lesson(id="c1", source_feedback_ids=["f1"]), **who)
        store.create_session_context(session, lesson(id="c2", source_trace_ids=["t1"]), **who)
        store.create_session_context(session, lesson(id="c3"), **who)
        learned = {"used_session_context_ids": ["c1"]}
        store.create_qa_entry(session, "used the lesson", "a", qa_id="q3", **learned, **who)
        store.save_trace_step(session, step(trace_id="t1", memory_context="from e1, n10"), **who)
        store.save_trace_step(session, step(trace_id="t2", memory_context="from n10"), **who)
        store.save_trace_step(session, step(trace_id="t3", method_params={"qa": "q3"}), **who)

    write("s", user_id="u")
    write("t")
    lifecycle_of(store).advance_watermark("t", "x", 3)
    assert store.forget_elements(["e9"]) == 0
    assert store.forget_elements(["e1", "e9"]) == 2
    for session, who in (("s", {"user_id": "u"}), ("t", {})):
        assert [one.qa_id for one in store.get_all_qa_entries(session, **who)] == ["q2"]
        assert [one.trace_id for one in store.read_trace_steps(session, **who)] == ["t2"]
        assert [one.id for one in store.get_session_context(session, **who)] == ["c3"]
    assert store.search("drew", everyone=True).items == []
    assert lifecycle_of(store).new_entries("t", "x") == []  # q2 is before the mark
    assert lifecycle_of(store).session_record("t").label == "has nothing to do with it"
    assert store.forget_elements(["e1"]) == 0
    with pytest.raises(InvalidArgument):
        store.forget_elements("e1")
    # A dataset goes with its sessions, and only with its own.
    store.create_qa_entry("d", "q", "a", dataset_id=DATASET, user_id="u")
    assert store.delete_dataset(DATASET) == 1
    assert store.get_all_qa_entries("d", user_id="u") == []
    assert len(store.get_all_qa_entries("t")) == 1
