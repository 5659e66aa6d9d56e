"""Steps, guidance and the graph in the question-and-answer store; names carry cognee's ids."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from projections.session_stores.qa import (
    IdTaken,
    SessionContextEntry,
    SessionFeedbackEntry,
    SessionTraceStep,
    Stored,
)
from tests.support.cognee import (
    Clock,
    asked,
    cache_of,
    each_backend,
    each_backend_crossed,
    lesson,
    step,
    store_of,
)

WHOLE = SessionTraceStep(
    trace_id="t1",
    origin_function="search",
    status="Error, sort of",
    memory_query="what",
    memory_context="that",
    method_params={"q": "what", "deep": {"list": [1, None, 2.5, True]}},
    method_return_value=[{"a": 1}],
    error_message="timed out",
    session_feedback="search failed.",
)
SAID = {"sequence": 0, "created_at": None}


def names(steps: list[Any]) -> list[str]:
    return [one.origin_function for one in steps]


@each_backend_crossed
def test_br_24_br_25_br_33_bp_23_bp_24_bp_25_bp_26_steps_come_back(ledger: Any) -> None:
    store = store_of(ledger, clock=(clock := Clock()))
    stored = store.save_trace_step("s", WHOLE, user_id="u")
    [found] = store.read_trace_steps("s", user_id="u")
    assert msgspec.structs.replace(found, **SAID) == WHOLE
    assert (stored.id, found.sequence, found.created_at) == ("t1", stored.sequence, clock())
    ids = [
        store.save_trace_step("s", step(f"f{n}", session_feedback=f"{n}"), user_id="u").id
        for n in range(3)
    ]
    assert len({*ids}) == 3
    assert {len(one) for one in ids} == {36}
    read = {"user_id": "u"}
    assert names(store.read_trace_steps("s", **read)) == ["search", "f0", "f1", "f2"]
    assert names(store.read_trace_steps("s", last_n=3, **read)) == ["f0", "f1", "f2"]
    assert store.read_trace_feedback("s", **read) == ["search failed.", "0", "1", "2"]
    assert store.read_trace_feedback("s", last_n=2, **read) == ["1", "2"]
    assert store.count_trace_steps("s", **read) == 4
    for elsewhere in (("s", {}), ("s", {"user_id": "v"}), ("t", read)):
        assert store.read_trace_steps(elsewhere[0], **elsewhere[1]) == []
        assert store.count_trace_steps(elsewhere[0], **elsewhere[1]) == 0


@each_backend_crossed
def test_br_33_every_step_gets_an_id_of_its_own(ledger: Any) -> None:
    store = store_of(ledger)
    ids = [store.save_trace_step("s", step()).id for _ in range(100)]
    assert len({*ids}) == 100
    assert all(str(UUID(one)) == one for one in ids)
    assert [one.trace_id for one in store.read_trace_steps("s")] == ids


@each_backend_crossed
def test_br_27_bp_28_a_step_is_appended_once_and_never_changed(ledger: Any) -> None:
    store = store_of(ledger)
    first = store.save_trace_step("s", WHOLE)
    assert store.save_trace_step("s", WHOLE) == first
    with pytest.raises(IdTaken, match="t1"):
        store.save_trace_step("s", msgspec.structs.replace(WHOLE, status="other"))
    number = msgspec.structs.replace(WHOLE, trace_id="t2", method_params={"deep": 1})
    truth = msgspec.structs.replace(number, method_params={"deep": True})
    store.save_trace_step("s", number)
    with pytest.raises(IdTaken, match="t2"):
        store.save_trace_step("s", truth)
    assert store.count_trace_steps("s") == 2
    assert store.save_trace_step("s", WHOLE, user_id="u").id == "t1"


@each_backend_crossed
def test_bp_27_what_json_does_not_know_is_told_by_type_and_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = UUID(int=7)
    given: dict[str, Any] = {
        "id": key,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "who": SimpleNamespace(id=key),
        "what": object(),
        "many": (1, {"x"}),
        1: "one",
    }
    store.save_trace_step("s", step(method_params=given, method_return_value=key))
    [found] = store.read_trace_steps("s")
    assert found.method_params == {
        "id": str(key),
        "at": "2026-01-01T00:00:00+00:00",
        "who": {"type": "SimpleNamespace", "id": str(key)},
        "what": {"type": "object"},
        "many": [1, ["x"]],
        "1": "one",
    }
    assert found.method_return_value == str(key)
    for bad in ({"trace_id": " "}, {"origin_function": ""}, {"status": " "}, {"memory_query": 1}):
        with pytest.raises(InvalidArgument, match=next(iter(bad))):
            store.save_trace_step("s", msgspec.structs.replace(step(), **bad))
    for bad_value in (float("nan"), "\0"):
        with pytest.raises(InvalidEvent):
            store.save_trace_step("s", step(method_return_value=bad_value))
    assert store.count_trace_steps("s") == 1


@each_backend_crossed
def test_br_34_m_09_a_step_says_how_it_went_without_a_model(ledger: Any) -> None:
    store = store_of(ledger)
    reason = {"error_message": "\x1b[31mno\x07 net\x1b[0m."}
    for said in (
        {"status": "SUCCESS"},
        {"status": "error"} | reason,
        {"status": "error", "session_feedback": " "},
        {"status": "error", "session_feedback": "as a model worded it"} | reason,
        {"status": "error", "error_message": "x" * 9_999},
    ):
        store.save_trace_step("s", step("search", **said))
    *texts, long = store.read_trace_feedback("s")
    assert texts == [
        "search succeeded.",
        "search failed. Reason: no net.",
        "search failed.",
        "as a model worded it",
    ]
    assert long == f"search failed. Reason: {'x' * 500}."
    # Who saves it again, as it was given or as it is read, says the same.
    first = store.save_trace_step("s", step("search", trace_id="t"))
    assert store.save_trace_step("s", step("search", trace_id="t")) == first
    assert store.save_trace_step("s", store.read_trace_steps("s")[-1]) == first


@each_backend_crossed
@pytest.mark.parametrize("feedback", ["", " "])
def test_br_27_a_step_stored_before_steps_said_how_they_went_is_the_same_step(
    ledger: Any, feedback: str
) -> None:
    store = store_of(ledger)
    given = step("search", trace_id="t", session_feedback=feedback)
    store.save_trace_step("s", given)
    [made] = ledger.read("s", types=["trace.appended"])
    assert made.data["session_feedback"] == "search succeeded."
    [begun, *_] = ledger.read("s")
    former = NewEvent(made.data | {"session_feedback": feedback}, "trace.appended")
    [_, known] = ledger.append("former", [NewEvent(begun.data, begun.type), former])
    assert store.save_trace_step("former", given) == Stored("t", known.sequence)
    assert store.read_trace_feedback("former") == [feedback]
    for other in ({"session_feedback": "search failed."}, {"status": "error"}):
        with pytest.raises(IdTaken, match="t"):
            store.save_trace_step("former", msgspec.structs.replace(given, **other))
    assert store.count_trace_steps("former") == 1


@each_backend_crossed
def test_br_23_the_graph_is_set_replaced_and_goes_with_the_session(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.get_graph_context("s", user_id="u") is None
    for text in ("a -> b", "", "b -> c"):
        sequence = store.set_graph_context("s", text, user_id="u")
        assert sequence == len(ledger.read("cognee:u:s"))
        assert store.get_graph_context("s", user_id="u") == text
    assert store.get_graph_context("s") is store.get_graph_context("s", user_id="v") is None
    store.set_graph_context("s", None, user_id="u")
    assert store.get_graph_context("s", user_id="u") is None
    store.set_graph_context("s", "again", user_id="u")
    assert store.delete_session("s", user_id="u") is True
    assert store.get_graph_context("s", user_id="u") is None


@each_backend_crossed
def test_bp_29_bp_30_guidance_and_feedback_are_kept_in_order(ledger: Any) -> None:
    store = store_of(ledger)
    whole = SessionContextEntry(
        id="c1",
        section="rules",
        context_profile="qa",
        content="Be brief.",
        normalized_content="be brief",
        confidence=0.8,
        helpful_count=2,
        harmful_count=1,
        source_feedback_ids=["f1"],
        source_trace_ids=["t1"],
        priority=1.5,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        last_served_at=datetime(2025, 1, 2, tzinfo=UTC),
        extra={"x": 1},
    )
    said = SessionFeedbackEntry(
        id="f1",
        raw_text="great",
        rating=5,
        referenced_qa_ids=["q1"],
        referenced_qa_rating={"score": 5},
        influencing_context_ids=["c1"],
        candidate_updates=[{"content": "Be brief."}],
    )
    store.create_session_context("s", whole, user_id="u")
    store.create_session_context("s", said, user_id="u")
    nameless = store.create_session_context("s", lesson("Be kind."), user_id="u")
    read = store.get_session_context("s", user_id="u")
    assert read[:2] == [whole, said]
    assert (read[2].id, read[2].content) == (nameless.id, "Be kind.")
    # The same id again: replaced, in its place; in another session it is another one.
    new = msgspec.structs.replace(whole, content="Be short.", helpful_count=0, extra={})
    store.create_session_context("s", new, user_id="u")
    store.create_session_context("t", whole, user_id="u")
    assert store.get_session_context("s", user_id="u")[:2] == [new, said]
    again = msgspec.structs.replace(said, rating=1)
    store.create_session_context("s", again, user_id="u")
    assert store.get_session_context("s", user_id="u") == [new, read[2], again]
    assert store.get_session_context("t", user_id="u") == [whole]
    assert store.get_session_context("s") == []
    with pytest.raises(InvalidArgument):
        store.create_session_context("s", {"content": "x"})


@each_backend_crossed
def test_bp_31_bp_32_guidance_is_changed_and_deleted_by_id(ledger: Any) -> None:
    store = store_of(ledger)
    store.create_session_context("s", lesson(id="c1"))
    store.create_session_context("s", lesson(id="c2"))
    store.create_session_context("s", SessionFeedbackEntry(id="f1", raw_text="hm"))
    store.create_session_context("t", lesson(id="c1"))
    changes = {"content": "Be short.", "priority": 2.0, "helpful_count": 3}
    assert store.update_session_context("s", "c1", changes) is True
    assert store.rate_session_context("s", "c1", helpful=2, harmful=1) is True
    assert store.update_session_context("s", "f1", {"rating": 2}) is True
    assert store.update_session_context("s", "c2", {}) is True
    first, _, said = store.get_session_context("s")
    assert (first.content, first.priority, first.section) == ("Be short.", 2.0, "rules")
    assert (first.helpful_count, first.harmful_count) == (5, 1)
    assert (said.raw_text, said.rating) == ("hm", 2)
    for bad in ({"id": "x"}, {"nothing": 1}):
        with pytest.raises(InvalidArgument):
            store.update_session_context("s", "c1", bad)
    with pytest.raises(InvalidEvent):
        store.update_session_context("s", "c1", {"confidence": 2})
    for unknown in ("nothing", "c9"):
        assert store.update_session_context("s", unknown, changes) is False
        assert store.rate_session_context("s", unknown, helpful=1) is False
        assert store.delete_session_context_entry("s", unknown) is False
    assert store.rate_session_context("s", "f1", helpful=1) is False
    assert store.delete_session_context_entry("s", "c1") is True
    assert store.delete_session_context_entry("s", "c1") is False
    assert [one.id for one in store.get_session_context("s")] == ["c2", "f1"]
    assert store.delete_session_context("s") is True
    assert store.delete_session_context("s") is False
    assert [one.id for one in store.get_session_context("t")] == ["c1"]


@each_backend_crossed
def test_bp_41_a_value_is_kept_under_its_key_as_long_as_asked(ledger: Any) -> None:
    store = store_of(ledger, clock=(clock := Clock()))
    cache = cache_of(store)
    assert cache.get_value("k") is None
    cache.set_value("k", {"a": [1, None]})
    cache.set_value("for a minute", "x", ttl=60)
    cache.set_value("k2", 0, ttl=0)
    assert (cache.get_value("k"), cache.get_value("for a minute")) == ({"a": [1, None]}, "x")
    cache.set_value("k", "other")
    clock.forward(60)
    assert [cache.get_value(key) for key in ("k", "for a minute", "k2")] == ["other", None, 0]
    assert cache.delete_value("for a minute") is False
    assert [cache.delete_value("k") for _ in range(2)] == [True, False]
    assert cache.get_value("k") is None
    cache.set_value("for a minute", "y")
    assert cache.get_value("for a minute") == "y"
    asked(store, "q", session="k2")  # a session of that name is something else
    assert cache.get_value("k2") == 0


@each_backend_crossed
def test_bp_41_a_key_is_the_text_that_it_is_and_no_id(ledger: Any) -> None:
    cache = cache_of(store_of(ledger))
    element = UUID(int=0xABC)
    keys = [element.hex, str(element), element.hex.upper(), "{" + str(element) + "}"]
    for number, key in enumerate(keys):
        assert cache.get_value(key) is None
        cache.set_value(key, number)
    assert [cache.get_value(key) for key in keys] == [0, 1, 2, 3]
    assert cache.delete_value(keys[0]) is True
    assert [cache.get_value(key) for key in keys] == [None, 1, 2, 3]
    for wrong in ("", " ", element, None, "k" * 2_000, "\ud800"):
        with pytest.raises(InvalidArgument) as refused:
            cache.set_value(wrong, 1)
        assert refused.value.argument == "key"


@each_backend_crossed
def test_bp_42_what_users_called_is_logged_the_last_first(ledger: Any) -> None:
    store = store_of(ledger, clock=(clock := Clock()))
    cache = cache_of(store)
    for number in range(3):
        cache.log_usage("u", {"n": number}, ttl=100)
        clock.forward(60)
    assert cache.get_usage_logs("u") == [{"n": 2}, {"n": 1}, {"n": 0}]
    assert cache.get_usage_logs("u", 2) == [{"n": 2}, {"n": 1}]
    assert cache.get_usage_logs("u", 0) == cache.get_usage_logs("v") == []
    clock.forward(40)
    assert cache.get_usage_logs("u") == []
    cache.log_usage(None, {"n": 9})
    assert cache.get_usage_logs(None) == [{"n": 9}]
    # Who says nothing else asks for 100 of a week.
    for number in range(101):
        cache.log_usage("w", {"n": number})
    clock.forward(604_799)
    assert cache.get_usage_logs("w") == [{"n": number} for number in range(100, 0, -1)]
    clock.forward(1)
    assert cache.get_usage_logs("w") == []


@each_backend_crossed
def test_bp_44_bp_46_the_python_names_say_the_same(ledger: Any) -> None:
    store = store_of(ledger)
    cache = cache_of(store)
    stored = cache.add_qa("u", "s", "q1", "c", "a")
    cache.create_qa_entry("u", "s", "q2", None, "a")
    assert cache.get_all_qas("u", "s") == store.get_all_qa_entries("s", user_id="u")
    assert cache.get_latest_qa("u", "s", 1) == store.get_latest_qa_entries("s", 1, user_id="u")
    assert cache.get_qa_entries_by_ids("u", "s", [stored.id])[0].context == "c"
    traced = cache.append_agent_trace_step("u", "s", "t1", "f", "ok", session_feedback="fine")
    assert cache.get_agent_trace_session("u", "s")[0].sequence == traced.sequence
    assert cache.get_agent_trace_feedback("u", "s", 1) == ["fine"]
    assert cache.get_agent_trace_count("u", "s") == 1
    cache.create_session_context_entry("u", "s", lesson(id="c"))
    assert cache.update_session_context_entry("u", "s", "c", {"content": "x"}) is True
    assert cache.get_session_context_entries("u", "s") == store.get_session_context(
        "s", user_id="u"
    )
    assert cache.delete_session_context_entry("u", "s", "c") is True
    assert cache.delete_session_context("u", "s") is False
    cache.close()
    cache.close()  # the ledger is still open
    assert store.add_feedback("s", stored.id, score=1, user_id="u")
    assert cache.delete_feedback("u", "s", stored.id) is True
    assert cache.delete_qa_entry("u", "s", stored.id) is True
    assert cache.delete_session("u", "s") is True
    assert cache.get_all_qas("u", "s") == []


@each_backend
def test_bp_37_bp_42_what_was_over_does_not_come_back_with_the_next_call(ledger: Any) -> None:
    clock = Clock()
    cache = cache_of(store_of(ledger, clock=clock))
    cache.log_usage("u", {"n": 0}, ttl=10)
    clock.forward(9)
    cache.log_usage("u", {"n": 1}, ttl=10)
    clock.forward(9)
    assert cache.get_usage_logs("u") == [{"n": 1}, {"n": 0}]
    clock.forward(1)
    assert cache.get_usage_logs("u") == []
    cache.log_usage("u", {"n": 2}, ttl=10)
    assert cache.get_usage_logs("u") == cache.get_usage_logs("u", 1) == [{"n": 2}]
    clock.forward(5)
    cache.log_usage("u", {"n": 3}, ttl=0)  # for ever
    clock.forward(1_000)
    cache.log_usage("u", {"n": 4}, ttl=10)
    assert [one["n"] for one in cache.get_usage_logs("u")] == [4, 3, 2]


@each_backend_crossed
def test_bp_30_bp_33_guidance_and_feedback_of_one_id_are_one_entry(ledger: Any) -> None:
    store = store_of(ledger)
    said = SessionFeedbackEntry(id="x", raw_text="f")
    for entry in (said, lesson(id="x"), said, lesson(id="x"), lesson("Be kind.", id="x")):
        assert store.create_session_context("s", entry).id == "x"
        [found] = store.get_session_context("s")
        assert type(found) is type(entry)
        assert getattr(found, "content", None) == getattr(entry, "content", None)
    store.create_session_context("s", lesson(id="y"))
    store.create_session_context("s", lesson(id="x"))  # keeps its place
    assert [one.id for one in store.get_session_context("s")] == ["x", "y"]
    assert store.delete_session_context_entry("s", "x") is True
    assert store.delete_session_context_entry("s", "x") is False
