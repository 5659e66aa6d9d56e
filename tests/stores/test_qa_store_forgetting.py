"""What drew on deleted elements goes, by whatever way it drew on them; names carry cognee's ids."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ledger import NewEvent
from ledger.plans import run
from projections.session_stores.qa import SessionFeedbackEntry, provenance
from projections.session_stores.qa.standing import Standing
from tests.support.builders import on_memory, only_sync
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
    "name within a parameter": {"method_params": {"node_ids": [{"n1": None}]}},
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


def told(ledger: Any, session: str) -> list[dict[str, Any]]:
    """Return what the redactions of a session say."""
    return [one.data for one in ledger.read(session, types=["content.redacted"])]


@each_backend
def test_m_25_u_24_of_many_elements_a_session_is_told_those_that_it_drew_on(ledger: Any) -> None:
    store = store_of(ledger)
    ids = [str(UUID(int=number + 1)) for number in range(20_000)]
    store.create_qa_entry(
        "one", "q", "a", qa_id="q1", used_graph_element_ids={"node_ids": [ids[7]]}
    )
    store.create_qa_entry("none", "q", "a", used_graph_element_ids={"node_ids": ["another"]})
    store.save_trace_step(
        "two", step(trace_id="t1", error_message=f"{UUID(ids[8]).hex} and {ids[5]}")
    )
    assert store.forget_elements([one.upper() for one in ids]) == 2
    reason = {"reason": "elements were deleted"}
    assert told(ledger, "none") == []
    assert told(ledger, "one") == [reason | {"qa_ids": ["q1"], "deleted_element_ids": [ids[7]]}]
    assert told(ledger, "two") == [
        reason | {"span_ids": ["t1"], "deleted_element_ids": [ids[5], ids[8]]}
    ]


@each_backend
def test_m_25_u_24_more_elements_than_a_fact_may_name_are_in_several(ledger: Any) -> None:
    store = store_of(ledger)
    short = [f"n{number}" for number in range(1_500)]
    long = [f"{number:03}" + "\x01" * 500 for number in range(300)]  # of six bytes in JSON each
    for number, ids in enumerate((short, long)):
        used = {"used_graph_element_ids": {"node_ids": ids}}
        store.create_qa_entry(f"{number}", "q", "a", qa_id="q1", **used)
    assert store.forget_elements([*short, *long]) == 2
    for number, ids in enumerate((short, long)):
        facts = told(ledger, f"{number}")
        assert len(facts) > 1
        assert [one for fact in facts for one in fact.get("qa_ids", [])] == ["q1"]
        assert [one for fact in facts for one in fact["deleted_element_ids"]] == sorted(ids)
        assert store.get_all_qa_entries(f"{number}") == []


@on_memory
@only_sync
def test_m_25_u_24_each_step_is_looked_into_twice_however_long_a_chain_is(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, store = 50, store_of(ledger)
    facts = [("qa.recorded", {"qa_id": "q0", "used_graph_element_ids": {"node_ids": ["n1"]}})]
    for number in range(links):
        said = {"step_id": f"t{number}", "method_return_value": f"as in q{number}"}
        taught = {"context_id": f"c{number}", "source_trace_ids": [f"t{number}"]}
        used = {"qa_id": f"q{number + 1}", "used_session_context_ids": [f"c{number}"]}
        facts += [
            ("trace.appended", {"origin_function": "f", "status": "ok"} | said),
            ("context.put", taught),
            ("qa.recorded", used),
        ]
    answered = {"question": "q", "answer": "a"}
    ledger.append(
        "s",
        [NewEvent(said | (answered if "qa_id" in said else {}), type_) for type_, said in facts],
    )
    store.create_qa_entry("s", "another", "a")
    looked = 0
    texts = provenance.texts_within

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal looked
        looked += 1
        return texts(*args, **options)

    monkeypatch.setattr(provenance, "texts_within", counted)
    session = Standing(store.core, "s")
    origin = provenance.Provenance(provenance.Elements(["n1"]))
    gone = origin.drawn_from(run(session.kept())).gone
    assert (len(gone.entries), len(gone.steps)) == (links + 1, links)
    assert looked == 2 * links  # for the elements, and for all answers
    # Who asks again looks into what is new.
    store.save_trace_step("s", step(trace_id="t", error_message="q7 is wrong"))
    gone = origin.drawn_from(run(session.kept())).gone
    assert (len(gone.steps), looked) == (links + 1, 2 * links + 2)
    assert store.forget_elements(["n1"]) == 1
    assert questions(store.get_all_qa_entries("s")) == ["another"]
