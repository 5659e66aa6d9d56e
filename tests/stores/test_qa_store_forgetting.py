"""What drew on deleted elements goes, by whatever way it drew on them; names carry cognee's ids."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ledger import NewEvent
from projections.session_stores.qa import SessionFeedbackEntry
from tests.support.cognee import (
    DATASET,
    Clock,
    each_backend,
    lesson,
    questions,
    step,
    store_of,
)
from tests.support.views import views_of

SAYINGS: dict[str, dict[str, Any]] = {
    "name of a parameter": {"method_params": {"n1": 1}},
    "name within a parameter": {"method_params": {"nodes": [{"n1": None}]}},
    "name in what was returned": {"method_return_value": {"n1": {"name": "secret"}}},
    "name in a list": {"method_return_value": [[{"edge n1 -> n2": 3}]]},
    "text of a parameter": {"method_params": {"node": "n1"}},
    "error": {"error_message": "no n1 there"},
}


@each_backend
def test_m_25_u_24_a_step_names_an_element_also_where_json_has_names(ledger: Any) -> None:
    store = store_of(ledger)
    for name, said in SAYINGS.items():
        store.save_trace_step("s", step(trace_id=name, **said))
    others = {"n10": 1, "memory": "n2"}
    store.save_trace_step("s", step(trace_id="another", method_params=others))
    # What every step has is not said by any of them.
    assert store.forget_elements(["memory_query", "session_feedback"]) == 0
    assert store.forget_elements(["n1"]) == 1
    assert [one.trace_id for one in store.read_trace_steps("s")] == ["another"]


@each_backend
def test_m_25_u_24_a_step_that_names_a_redacted_answer_goes_with_it(ledger: Any) -> None:
    store = store_of(ledger)
    store.create_qa_entry("s", "q", "a", qa_id="q1", used_graph_element_ids={"edge_ids": ["e1"]})
    store.save_trace_step("s", step(trace_id="t1", method_return_value={"q1": "said again"}))
    store.save_trace_step("s", step(trace_id="t2", method_return_value={"q10": "another"}))
    assert store.forget_elements(["e1"]) == 1
    assert [one.trace_id for one in store.read_trace_steps("s")] == ["t2"]


@each_backend
def test_m_25_u_24_feedback_that_redacted_guidance_influenced_goes_on_to_what_it_taught(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    store.create_qa_entry("s", "drew", "a", qa_id="q1", used_graph_element_ids={"node_ids": ["n"]})
    store.create_session_context("s", SessionFeedbackEntry(id="f1", referenced_qa_ids=["q1"]))
    store.create_session_context("s", lesson(id="c1", source_feedback_ids=["f1"]))
    # This one is about no answer: only what influenced it leads there.
    store.create_session_context("s", SessionFeedbackEntry(id="f2", influencing_context_ids=["c1"]))
    store.create_session_context("s", SessionFeedbackEntry(id="f3", influencing_context_ids=["c3"]))
    store.create_session_context("s", lesson(id="c2", source_feedback_ids=["f2"]))
    store.create_session_context("s", lesson(id="c3", source_feedback_ids=["f3"]))
    store.create_qa_entry("s", "used c2", "a", used_session_context_ids=["c2"])
    store.create_qa_entry("s", "used c3", "a", used_session_context_ids=["c3"])
    assert store.forget_elements(["n"]) == 1
    assert questions(store.get_all_qa_entries("s")) == ["used c3"]
    assert [one.id for one in store.get_session_context("s")] == ["f3", "c3"]


def drew(store: Any, session: str, **options: Any) -> None:
    used = {"used_graph_element_ids": {"node_ids": ["n1"]}}
    store.create_qa_entry(session, "drew on it", "a", **used, **options)
    store.create_qa_entry(session, "did not", "a")


@each_backend
def test_bp_37_m_25_an_expired_session_is_forgotten_and_not_counted(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, session_ttl_s=100, clock=clock)
    for session in ("old", "shared"):
        drew(store, session)
    ledger.append("shared", NewEvent({"role": "user", "content": "hi"}, "message.appended"))
    clock.now = datetime.now(UTC) + timedelta(seconds=200)
    drew(store, "new")
    assert store.forget_elements(["n1"]) == 1
    # That it was forgotten brings nothing back that had expired.
    shown = {name: questions(store.get_all_qa_entries(name)) for name in ("old", "shared", "new")}
    assert shown == {"old": [], "shared": [], "new": ["did not"]}
    # A store without an expiry has nothing of it either.
    assert questions(store_of(ledger).search("drew").items) == []
    assert [one.content for one in views_of(ledger).messages("shared")] == ["hi"]


@each_backend
def test_bp_37_m_25_expired_sessions_of_a_dataset_go_and_are_not_counted(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, session_ttl_s=100, clock=clock)
    for session in ("old", "older"):
        drew(store, session, dataset_id=DATASET)
    clock.forward(100)
    drew(store, "new", dataset_id=DATASET)
    assert store.delete_dataset(DATASET) == 1
    assert views_of(ledger).sessions() == []
    drew(store, "old")
    clock.forward(100)
    drew(store, "new")
    assert store.prune() == 1
    assert views_of(ledger).sessions() == []
