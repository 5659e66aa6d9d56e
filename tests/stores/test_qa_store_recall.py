"""Finding what was said before in the question-and-answer store; names carry cognee's ids."""

from typing import Any

import pytest

from ledger import InvalidArgument
from projections.session_stores.qa import SessionQAUpdate, as_messages, as_text
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    Clock,
    asked,
    each_backend_crossed,
    lesson,
    questions,
    step,
    store_of,
)


@on_memory
@only_sync
def test_br_28_br_29_m_05_history_is_messages_or_a_text(ledger: Any) -> None:
    store = store_of(ledger, clock=Clock())
    assert as_messages(store.history("s")) == []
    assert as_text(store.history("s")) == ""
    asked(store, *(f"q{number}" for number in range(12)))
    history = store.history("s")
    assert questions(history) == [f"q{number}" for number in range(2, 12)]
    assert as_messages(history)[:2] == [
        {"role": "user", "content": "q2"},
        {"role": "assistant", "content": "answer to q2"},
    ]
    assert len(as_messages(store.history("s", last_n=None))) == 24
    store.create_qa_entry("t", "Why?", "So.", "the sky")
    store.create_qa_entry("t", "How?", "Thus.")
    text = as_text(store.history("t"))
    assert text.splitlines() == [
        "Previous conversation:",
        "",
        "[2026-01-01T00:00:00+00:00]",
        "QUESTION: Why?",
        "CONTEXT: the sky",
        "ANSWER: So.",
        "",
        "[2026-01-01T00:00:00+00:00]",
        "QUESTION: How?",
        "ANSWER: Thus.",
    ]
    assert "CONTEXT" not in as_text(store.history("t"), include_context=False)


@each_backend_crossed
def test_m_15_history_has_what_a_text_reminds_of_besides_the_last(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "about zebras", "about lions", "more zebras", "the end", user_id="u")
    found = store.history("s", last_n=1, matching="a ZEBRAS question", user_id="u")
    assert questions(found) == ["about zebras", "more zebras", "the end"]
    found = store.history("s", last_n=2, matching="zebras", user_id="u")
    assert questions(found) == ["about zebras", "more zebras", "the end"]
    assert questions(store.history("s", last_n=1, matching="", user_id="u")) == ["the end"]
    assert store.history("s", last_n=1, matching="zebras") == []


@each_backend_crossed
def test_m_19_recall_ranks_by_how_many_words_are_there(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "the red fox", "a red house", "reddish")
    store.save_trace_step(
        "s", step("find_fox", memory_context="a fox, red", method_params={"q": "x"})
    )
    store.save_trace_step("s", step("other", method_return_value={"deep": ["fox"]}))
    store.create_session_context("s", lesson("Foxes are RED."))
    hits = store.recall("s", "Is the red fox a an it?", scopes=["session"])
    assert [(hit.source, hit.matched, hit.item.question) for hit in hits] == [
        ("session", 3, "the red fox"),
        ("session", 1, "a red house"),
    ]
    everything = store.recall("s", "red fox")
    assert [(hit.source, hit.matched) for hit in everything] == [
        ("session", 2),
        ("trace", 2),
        ("session", 1),
        ("trace", 1),
        ("session_context", 1),
    ]
    assert everything[:2] == store.recall("s", "red fox", limit=2)
    assert store.recall("s", "red fox", scopes=["trace"], limit=0) == []
    assert store.recall("s", "it is a an") == store.recall("s", "") == []
    assert store.recall("s", "fox", scopes=[]) == store.recall("t", "red fox") == []
    assert store.recall("s", "red fox", user_id="u") == []
    for unknown in (["graph"], ["session", "all"], "session"):
        with pytest.raises(InvalidArgument, match="scopes"):
            store.recall("s", "fox", scopes=unknown)


@each_backend_crossed
def test_m_06_m_07_m_20_full_text_goes_across_sessions_and_follows_every_change(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    [first] = asked(store, "red fox", session="a", user_id="u")
    asked(store, "the fox is red", session="b", user_id="u")
    asked(store, "a red fox of nobody", session="a")
    asked(store, "blue fox", session="c", user_id="u")
    asked(store, "red fox too", session="a", user_id="v")

    def found(text: str = "fox red", **options: Any) -> list[str]:
        return questions(store.search(text, **options).items)

    assert found(user_id="u") == ["the fox is red", "red fox"]
    assert found() == ["a red fox of nobody"]
    assert len(found(everyone=True)) == 4
    assert found("fox answer", user_id="u") == ["blue fox", "the fox is red", "red fox"]
    hit = store.search("fox red", user_id="u", limit=1)
    assert (hit.items[0].session_id, hit.items[0].user_id) == ("b", "u")
    rest = store.search("fox red", user_id="u", limit=5, cursor=hit.cursor)
    assert (questions(rest.items), rest.cursor) == (["red fox"], None)
    assert store.add_feedback("a", first, score=5, text="green", user_id="u")
    assert found("green", user_id="u") == []
    wolf = SessionQAUpdate(question="wolf", answer="grey")
    assert store.update_qa_entry("a", first, wolf, user_id="u")
    assert found(user_id="u") == ["the fox is red"]
    assert found("wolf", user_id="u") == ["wolf"]
    assert store.delete_qa_entry("a", first, user_id="u")
    assert found("wolf", user_id="u") == []
    assert store.delete_session("b", user_id="u")
    assert found(user_id="u") == []
    for who in ({"user_id": "u"}, {"session_id": "a"}):
        with pytest.raises(InvalidArgument, match="everyone"):
            found(everyone=True, **who)


@each_backend_crossed
def test_m_20_a_search_stays_in_a_session_and_recall_leaves_it(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "the red fox", session="a", user_id="u")
    asked(store, "a red house", "the house", session="b", user_id="u")
    asked(store, "red fox house", session="b")

    def within(session: str, **who: Any) -> list[str]:
        return questions(store.search("red", session_id=session, **who).items)

    assert within("a", user_id="u") == ["the red fox"]
    assert within("b", user_id="u") == ["a red house"]
    assert within("b") == ["red fox house"]
    assert within("a") == within("c", user_id="u") == []

    def recalled(text: str = "Is the red fox in a house?", **options: Any) -> list[tuple[str, int]]:
        hits = store.recall_across_sessions(text, **options)
        return [(hit.item.question, hit.matched) for hit in hits]

    # "the" is a word, too.
    ranked = [("the red fox", 3), ("the house", 2), ("a red house", 2)]
    assert recalled(user_id="u") == ranked
    assert recalled(user_id="u", limit=1) == ranked[:1]
    assert recalled() == [("red fox house", 3)]
    assert len(recalled(everyone=True)) == 4
    assert recalled("is it a", user_id="u") == recalled(user_id="v") == []
    with pytest.raises(InvalidArgument, match="text"):
        recalled(" ".join(f"word{number}" for number in range(65)))


@each_backend_crossed
def test_a_short_word_of_another_script_is_remembered(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "茶 is what?", "go by it")
    assert [hit.item.question for hit in store.recall("s", "茶")] == ["茶 is what?"]
    assert store.recall("s", "it") == []


@each_backend_crossed
def test_an_answer_of_a_session_with_a_long_id_is_found_in_its_tenant_until_it_expires(
    ledger: Any,
) -> None:
    clock = Clock()
    store = store_of(ledger, tenant="t", session_ttl_s=100, clock=clock)
    asked(store, "parcel", session="k" * 1_024, user_id="u")
    for who in ({"user_id": "u"}, {"everyone": True}):
        [found] = store.search("parcel", **who).items
        assert (found.session_id, found.user_id) == ("k" * 1_024, "u")
    clock.forward(100)
    for who in ({"user_id": "u"}, {"everyone": True}):
        assert store.search("parcel", **who).items == []
