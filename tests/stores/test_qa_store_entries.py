"""Answered questions of the question-and-answer store; names carry the ids of cognee's lines."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from ledger import InvalidArgument, InvalidEvent
from projections.session_stores.qa import IdTaken, SessionQAUpdate, Stored
from tests.support.cognee import (
    NOTHING,
    Clock,
    asked,
    cache_of,
    each_backend,
    filled,
    lifecycle_of,
    questions,
    read_all,
    step,
    store_of,
)

EVERYTHING: dict[str, Any] = {
    "feedback_text": "good",
    "feedback_score": 5,
    "used_graph_element_ids": {"node_ids": ["n"], "edge_ids": ["e"]},
    "used_session_context_ids": ["c"],
    "memify_metadata": {"feedback_weights_applied": True},
}


@each_backend
def test_br_01_br_02_br_03_br_18_bp_01_bp_03_entries_come_back_oldest_first(ledger: Any) -> None:
    store = store_of(ledger)
    ids = asked(store, "q1", "q2", "q3", "q4", "q5", context="why")
    found = store.get_all_qa_entries("s")
    assert questions(found) == ["q1", "q2", "q3", "q4", "q5"]
    assert [(one.answer, one.context) for one in found[:2]] == [
        ("answer to q1", "why"),
        ("answer to q2", "why"),
    ]
    assert questions(store.get_latest_qa_entries("s", 3)) == ["q3", "q4", "q5"]
    assert store.get_latest_qa_entries("s") == store.get_latest_qa_entries("s", 99) == found
    assert store.latest_qa_id("s") == ids[-1]


@each_backend
def test_br_04_bp_05_u_08_how_many_of_the_last_means_one_thing(ledger: Any) -> None:
    store = store_of(ledger)
    filled(store)
    store.create_qa_entry("s", "q2", "a")
    lists: list[Any] = [
        lambda last_n: store.get_latest_qa_entries("s", last_n),
        lambda last_n: store.read_trace_steps("s", last_n=last_n),
        lambda last_n: store.read_trace_feedback("s", last_n=last_n),
        lambda last_n: store.history("s", last_n=last_n),
        lambda last_n: store.history("s", last_n=last_n, matching="zebra"),
        lambda last_n: cache_of(store).get_latest_qa_entries(None, "s", last_n),
    ]
    for read in lists:
        assert read(0) == []
        assert read(2**62) == read(None) != []
        for bad in (-1, 1.0, "1", True):
            with pytest.raises(InvalidArgument, match="last_n"):
                read(bad)


@each_backend
def test_br_06_bp_04_sessions_and_users_are_apart(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "one", session="s1", user_id="u1")
    asked(store, "two", session="s2", user_id="u1")
    asked(store, "three", session="s1", user_id="u2")
    assert questions(store.get_all_qa_entries("s1", user_id="u1")) == ["one"]
    assert questions(store.get_all_qa_entries("s2", user_id="u1")) == ["two"]
    assert questions(store.get_latest_qa_entries("s1", 1, user_id="u2")) == ["three"]
    assert store.get_latest_qa_entries("s2", 1, user_id="u2") == []


@each_backend
def test_br_07_nobody_is_an_owner_and_no_wildcard(ledger: Any) -> None:
    store = store_of(ledger)
    [mine] = asked(store, "mine", user_id="u")
    [nobodys] = asked(store, "nobody's")
    assert questions(store.get_all_qa_entries("s")) == ["nobody's"]
    assert questions(store.get_all_qa_entries("s", user_id="u")) == ["mine"]
    assert questions(store.get_all_qa_entries("s", user_id="default")) == []
    assert store.update_qa_entry("s", mine, SessionQAUpdate(answer="x")) is False
    assert store.delete_qa_entry("s", mine) is store.delete_qa_entry("s", nobodys, user_id="u")
    assert store.delete_session("s") is True
    assert questions(store.get_all_qa_entries("s", user_id="u")) == ["mine"]


@each_backend
def test_br_08_bp_21_every_field_comes_back_as_it_was(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    for number, context in enumerate(("", None, "why")):
        stored = store.create_qa_entry("s", "", "ä\n", context, qa_id=f"q{number}", **EVERYTHING)
        entry = store.get_latest_qa_entries("s", 1)[0]
        assert stored == Stored(f"q{number}", entry.sequence)
        assert (entry.question, entry.answer, entry.context) == ("", "ä\n", context)
        assert {name: getattr(entry, name) for name in EVERYTHING} == EVERYTHING
        assert (entry.session_id, entry.user_id) == ("s", None)
        assert entry.created_at == clock()
        assert entry.created_at.utcoffset() == timedelta(0)


@each_backend
def test_br_09_bp_02_m_04_a_new_entry_has_an_id_and_nothing_else(ledger: Any) -> None:
    store = store_of(ledger)
    ids = asked(store, *"abcdefgh", user_id="u")
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(one)) == one for one in ids)
    entry = store.get_all_qa_entries("s", user_id="u")[0]
    assert (entry.qa_id, entry.user_id) == (ids[0], "u")
    assert all(getattr(entry, name) is None for name in (*EVERYTHING, "context"))


@each_backend
def test_br_10_br_11_bp_07_bp_09_an_update_sets_keeps_and_clears(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q", context="why")

    def changed(**fields: Any) -> Any:
        assert store.update_qa_entry("s", qa_id, SessionQAUpdate(**fields)) is True
        return store.get_all_qa_entries("s")[0]

    entry = changed(feedback_text="good", feedback_score=4)
    assert (entry.feedback_text, entry.feedback_score) == ("good", 4)
    assert (entry.question, entry.answer, entry.context) == ("q", "answer to q", "why")
    assert entry.memify_metadata is entry.used_graph_element_ids is None
    for name, value in EVERYTHING.items():
        assert getattr(changed(**{name: value}), name) == value
        assert getattr(changed(question="Q"), name) == value  # kept
        assert getattr(changed(**{name: None}), name) is None
    assert changed(question="Q", answer="A", context="").context == ""
    entry = changed(context=None)
    assert (entry.question, entry.answer, entry.context) == ("Q", "A", None)
    for name in ("question", "answer"):
        with pytest.raises(InvalidEvent):
            changed(**{name: None})


@each_backend
def test_br_12_br_13_bp_14_u_09_u_10_an_update_says_whether_there_was_an_entry(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q", user_id="u")
    head = ledger.feed().cursor
    for updates in (
        SessionQAUpdate(),
        SessionQAUpdate(memify_metadata={}),
        SessionQAUpdate.keeping_none(answer=None),
    ):
        assert store.update_qa_entry("s", qa_id, updates, user_id="u") is True
        assert store.update_qa_entry("s", "nothing", updates, user_id="u") is False
        assert store.update_qa_entry("no session", qa_id, updates, user_id="u") is False
        assert store.update_qa_entry("s", qa_id, updates, user_id="other") is False
    for who in ({"user_id": "u"}, {}, {"user_id": "other"}):
        for unknown in ("nothing", str(UUID(int=1))):
            assert store.add_feedback("s", unknown, score=1, **who) is False
            assert store.delete_feedback("s", unknown, **who) is False
            assert store.delete_qa_entry("s", unknown, **who) is False
    assert ledger.feed().cursor == head  # nothing of this is a fact


@each_backend
def test_br_14_bp_11_flags_are_merged_and_cleared_on_demand(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q")

    def flagged(flags: Any) -> Any:
        assert store.update_qa_entry("s", qa_id, SessionQAUpdate(memify_metadata=flags))
        return store.get_all_qa_entries("s")[0].memify_metadata

    assert flagged({"a": True}) == {"a": True}
    assert flagged({"b": False}) == {"a": True, "b": False}
    assert flagged({}) == {"a": True, "b": False}
    assert flagged({"a": None, "c": True}) == {"b": False, "c": True}
    assert flagged(None) is None


@each_backend
def test_br_15_bp_16_a_deleted_entry_is_gone_and_the_others_stay(ledger: Any) -> None:
    store = store_of(ledger)
    ids = asked(store, "q1", "q2")
    assert store.delete_qa_entry("s", ids[0]) is True
    assert store.delete_qa_entry("s", ids[0]) is False
    assert store.delete_qa_entry("s", "unknown") is False
    assert questions(store.get_all_qa_entries("s")) == ["q2"]
    assert store.delete_qa_entry("s", ids[1]) is True
    assert store.get_all_qa_entries("s") == []
    asked(store, "q3")
    assert questions(store.get_all_qa_entries("s")) == ["q3"]


@each_backend
def test_br_19_bp_20_l_11_u_17_both_forms_of_a_uuid_are_one_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = UUID("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f")
    forms = (key, str(key), key.hex, key.hex.upper(), str(key).upper())
    filled(store, key, user_id=key)
    store.create_qa_entry(key, "second", "answer", qa_id=key, user_id=key)
    latest = store.latest_qa_id(key.hex, user_id=str(key))
    for form in forms:
        found = store.get_qa_entries_by_ids(form, [form], user_id=form)
        assert [one.qa_id for one in found] == [latest] == [str(key)]
        assert store.add_feedback(form, form, score=3, user_id=form)
        assert store.update_qa_entry(form, form, SessionQAUpdate(context=""), user_id=form)
        assert store.count_trace_steps(form, user_id=form) == 1
        assert store.get_graph_context(form, user_id=form) == "a -> b"
        assert cache_of(store).get_session_context_entries(form, form) != []
        cache_of(store).log_usage(form, {"called": "recall"})
        shown = lifecycle_of(store).session_detail(form, user_id=form)
        assert (shown.record.session_id, shown.record.user_id) == (str(key), str(key))
        assert (questions(shown.qas), [one.trace_id for one in shown.traces]) == (
            ["question", "second"], ["st"],
        )  # fmt: skip
    assert len(cache_of(store).get_usage_logs(key)) == len(forms)
    assert store.delete_qa_entry(key.hex, key.hex, user_id=key.hex)


@each_backend
def test_br_20_u_06_the_order_is_of_the_log_and_of_no_clock(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    for name in "abc":
        asked(store, name)
    clock.forward(-3_600)
    asked(store, "d")
    for name in "xyz":
        store.save_trace_step("s", step(name))
    assert questions(store.get_all_qa_entries("s")) == ["a", "b", "c", "d"]
    assert [one.sequence for one in store.get_all_qa_entries("s")] == [2, 3, 4, 5]
    assert [one.origin_function for one in store.read_trace_steps("s")] == ["x", "y", "z"]


@each_backend
def test_bp_06_bp_13_br_31_m_08_u_18_what_is_wrong_is_refused_alike(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q")
    before = store.get_all_qa_entries("s")
    bad: list[dict[str, Any]] = [{"feedback_score": score} for score in (0, 6, 1.5, "5", True)]
    bad += [{"used_graph_element_ids": ids} for ids in ({"nodes": []}, {"node_ids": "n"}, [1])]
    bad += [{"used_session_context_ids": "c"}, {"memify_metadata": {"a": "yes"}}]
    bad += [{"question": 1}, {"answer": b"x"}, {"context": {}}]
    for fields in bad:
        whole = {"question": "q", "answer": "a"} | fields
        with pytest.raises(InvalidEvent):
            store.create_qa_entry("s", whole.pop("question"), whole.pop("answer"), **whole)
        with pytest.raises(InvalidEvent):
            store.update_qa_entry("s", qa_id, SessionQAUpdate(**fields))
        with pytest.raises(InvalidEvent):
            store.update_qa_entry("s", "unknown", SessionQAUpdate(**fields))
    for score in (0, 6, 2.5, "5", True):
        with pytest.raises(InvalidArgument, match="score"):
            store.add_feedback("s", qa_id, score=score)
    assert store.get_all_qa_entries("s") == before


@each_backend
def test_bp_08_entries_by_ids_come_in_the_order_of_the_conversation(ledger: Any) -> None:
    store = store_of(ledger)
    ids = asked(store, "q1", "q2", "q3")
    found = store.get_qa_entries_by_ids("s", [ids[2], "unknown", ids[0], ids[0]])
    assert questions(found) == ["q1", "q3"]
    assert store.get_qa_entries_by_ids("s", []) == []
    many = [*(f"unknown {number}" for number in range(20)), ids[1], ids[0]]
    assert questions(store.get_qa_entries_by_ids("s", many)) == ["q1", "q2"]
    with pytest.raises(InvalidArgument):
        store.get_qa_entries_by_ids("s", ids[0])


@each_backend
def test_bp_10_bp_12_for_python_none_keeps_and_empty_clears(ledger: Any) -> None:
    store = store_of(ledger)
    cache = cache_of(store)
    cache.create_qa_entry("u", "s", "q", "c", "a", qa_id="qa", **EVERYTHING)
    before = cache.get_all_qa_entries("u", "s")
    assert cache.update_qa_entry("u", "s", "qa") is True
    assert cache.update_qa_entry("u", "s", "qa", None, None, None, memify_metadata={}) is True
    assert cache.get_all_qa_entries("u", "s") == before
    assert cache.update_qa_entry("u", "s", "qa", answer="A", used_graph_element_ids={})
    assert cache.update_qa_entry("u", "s", "qa", used_session_context_ids=[])
    [entry] = cache.get_all_qa_entries("u", "s")
    assert (entry.question, entry.context, entry.answer) == ("q", "c", "A")
    assert entry.used_graph_element_ids is entry.used_session_context_ids is None
    assert entry.memify_metadata == EVERYTHING["memify_metadata"]


@each_backend
def test_bp_15_br_32_m_17_feedback_is_taken_back_and_flags_stay(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q")
    assert store.add_feedback("s", qa_id, score=4, text="good") is True
    assert store.update_qa_entry("s", qa_id, SessionQAUpdate(memify_metadata={"x": True}))
    assert store.delete_feedback("s", qa_id) is True
    [entry] = store.get_all_qa_entries("s")
    assert entry.feedback_text is entry.feedback_score is None
    assert entry.memify_metadata == {"feedback_weights_applied": False, "x": True}
    head = ledger.head("s")
    assert store.delete_feedback("s", qa_id) is True  # there is an entry, and nothing to say
    assert ledger.head("s") == head
    assert store.delete_feedback("s", "unknown") is False
    for one in ({"score": 4}, {"text": "good"}):
        store.add_feedback("s", qa_id, **one)
        assert store.delete_feedback("s", qa_id) is True
        [entry] = store.get_all_qa_entries("s")
        assert entry.feedback_text is entry.feedback_score is None
    update = SessionQAUpdate(
        used_graph_element_ids={"node_ids": ["n"]},
        memify_metadata={"frequency_weights_applied": False},
    )
    assert store.update_qa_entry("s", qa_id, update) is True  # add_frequency_weights
    [entry] = store.get_all_qa_entries("s")
    assert entry.memify_metadata["frequency_weights_applied"] is False


@each_backend
def test_u_23_a_text_keeps_the_score_and_a_score_applies_weights_again(ledger: Any) -> None:
    store = store_of(ledger)
    [qa_id] = asked(store, "q")

    def judged(**said: Any) -> Any:
        assert store.add_feedback("s", qa_id, **said) is True
        [entry] = store.get_all_qa_entries("s")
        applied = (entry.memify_metadata or {}).get("feedback_weights_applied")
        return entry.feedback_score, entry.feedback_text, applied

    assert judged(score=2, text="bad") == (2, "bad", False)
    applied = SessionQAUpdate(memify_metadata={"feedback_weights_applied": True})
    assert store.update_qa_entry("s", qa_id, applied)
    assert judged(text="not that bad") == (2, "not that bad", True)
    assert judged() == (2, "not that bad", True)
    assert judged(score=4) == (4, "not that bad", False)


@each_backend
def test_bp_18_u_03_an_id_has_one_content(ledger: Any) -> None:
    store = store_of(ledger, clock=(clock := Clock()))
    first = store.create_qa_entry("s", "q", "a", qa_id="qa", user_id="u")
    assert store.update_qa_entry("s", "qa", SessionQAUpdate(answer="A"), user_id="u")
    clock.forward(60)
    assert store.create_qa_entry("s", "q", "a", qa_id="qa", user_id="u") == first
    for changed in ({"answer": "other"}, {"context": ""}, {"feedback_score": 1}):
        said = {"question": "q", "answer": "a"} | changed
        with pytest.raises(IdTaken, match="qa"):
            store.create_qa_entry("s", qa_id="qa", user_id="u", **said)
    flagged = {"memify_metadata": {"x": True}, "used_session_context_ids": ("c",)}
    assert store.create_qa_entry("s", "q", "a", qa_id="f", **flagged) == (
        store.create_qa_entry("s", "q", "a", qa_id="f", **flagged)
    )
    # Elsewhere, and after a deletion, it is free.
    assert store.create_qa_entry("s", "q", "other", qa_id="qa").id == "qa"
    assert store.create_qa_entry("t", "q", "other", qa_id="qa", user_id="u").id == "qa"
    assert store.delete_qa_entry("s", "qa", user_id="u")
    again = store.create_qa_entry("s", "q", "a", qa_id="qa", user_id="u")
    assert again.sequence > first.sequence
    assert [one.answer for one in store.get_all_qa_entries("s", user_id="u")] == ["a"]


@each_backend
def test_br_30_m_18_an_answer_with_its_feedback_and_graph_ids_is_one_fact(ledger: Any) -> None:
    store = store_of(ledger)
    stored = store.create_qa_entry("s", "q", "a", **EVERYTHING)
    recorded = ledger.read("s", types=["qa.recorded", "qa.amended", "feedback.given"])
    assert [(one.type, one.sequence) for one in recorded] == [("qa.recorded", stored.sequence)]
    traced = store.save_trace_step("s", step("recall"))
    assert ledger.read("s", after=stored.sequence)[0].sequence == traced.sequence
    assert store.add_feedback("s", "unknown", score=5) is False
    with pytest.raises(TypeError):
        store.create_qa_entry(question="q", answer="a")  # a session is always named


@each_backend
def test_br_05_u_07_what_is_not_there_is_empty(ledger: Any) -> None:
    store = store_of(ledger)
    assert read_all(store) == read_all(store, user_id="u") == NOTHING
    assert store.search("question").items == []
    filled(store, "t")
    assert read_all(store) == NOTHING
    assert store.delete_session("s") is store.delete_session_context("s") is False
    assert store.delete_session_context_entry("s", "c") is False
