"""A memory of answered questions written for cognee: feedback, steps, recall, watermarks, expiry."""

from ledger import Ledger
from projections import Views
from projections.session_stores.qa import (
    QALifecycle,
    QAStore,
    SessionContextEntry,
    SessionQAUpdate,
    SessionTraceStep,
    as_text,
    ledger_session_id,
)

with Ledger.open("memory:") as ledger:
    store = QAStore(ledger, session_ttl_s=604_800)
    used = {"node_ids": ["n1"]}
    first = store.create_qa_entry(
        "chat", "Where is Lyon?", "In France.", user_id="ann", used_graph_element_ids=used
    )
    store.create_qa_entry("chat", "And Turin?", "In Italy.", user_id="ann")
    store.create_qa_entry("chat", "Where am I?", "Nobody knows.")  # nobody's session of that name

    # Changes say only what they change, so two at once are both heard.
    store.add_feedback("chat", first.id, score=5, user_id="ann")
    flags = SessionQAUpdate(context="maps", memify_metadata={"preference_turn_counted": True})
    assert store.update_qa_entry("chat", first.id, flags, user_id="ann")
    assert not store.delete_qa_entry("chat", first.id)  # it is Ann's
    print(as_text(store.history("chat", user_id="ann")).splitlines()[3:5])

    # What an agent did, and what it learned; found by keywords, and across sessions by full text.
    step = SessionTraceStep(origin_function="look_up", status="success", memory_query="Lyon")
    store.save_trace_step("chat", step, user_id="ann")
    lesson = SessionContextEntry(section="rules", content="Name the country.")
    lesson_id = store.create_session_context("chat", lesson, user_id="ann").id
    store.rate_session_context("chat", lesson_id, helpful=1, user_id="ann")
    hits = store.recall("chat", "Lyon country", user_id="ann")
    print([(hit.source, hit.matched) for hit in hits])
    print([entry.answer for entry in store.search("italy", user_id="ann").items])

    # Lifecycle rows, and a pipeline that does every answer once.
    lifecycle = QALifecycle(store)
    lifecycle.accumulate_usage("chat", user_id="ann", model="small", tokens_in=40, cost_usd=0.002)
    new = lifecycle.new_entries("chat", "persist", user_id="ann")
    lifecycle.advance_watermark("chat", "persist", new[-1].sequence, user_id="ann")
    assert lifecycle.new_entries("chat", "persist", user_id="ann") == []
    lifecycle.mark_ended("chat", user_id="ann")
    print(lifecycle.stats(user_id="ann").success_rate, lifecycle.cost_by_model(user_id="ann"))

    # Everybody else reads the same facts, under an id that names the user too.
    print([one.question for one in Views(ledger).qa(ledger_session_id("chat", "ann"))])

    # A document was deleted: whatever drew on it goes, and the evidence stays.
    store.forget_elements(["n1"])
    assert [one.answer for one in store.get_all_qa_entries("chat", user_id="ann")] == ["In Italy."]
    assert store.prune() == 2
