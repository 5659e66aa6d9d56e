"""Eight at once on every operation of the question-and-answer store that reads before it writes."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import NewEvent
from projections.session_stores.qa import (
    AsyncQAStore,
    IdTaken,
    SessionFeedbackEntry,
    SessionQAUpdate,
    Stored,
    ledger_session_id,
)
from tests.support.builders import DEADLINE_S, on_durable, only_async, only_sync, together
from tests.support.cognee import (
    DATASET,
    Clock,
    asked,
    cache_of,
    filled,
    lesson,
    lifecycle_of,
    questions,
    step,
    store_of,
)
from tests.support.views import views_of

WRITERS = 8
MANY = 60
#: Of a server's: who waits for one may find the session as it was before.
CONNECTIONS = 10
ROUNDS = 3


@pytest.fixture
def ledgers(open_ledger: Callable[..., Any], url: str) -> list[Any]:
    """The ledger, opened several times; what is in memory is in one ledger's memory."""
    return [open_ledger() for _ in range(1 if url == "memory:" else 3)]


@pytest.fixture
def stores(ledgers: list[Any]) -> list[Any]:
    """Eight stores of one ledger; those of a file or a server have connections of their own."""
    return stores_of(ledgers)


def stores_of(ledgers: list[Any], **options: Any) -> list[Any]:
    return [store_of(ledgers[number % len(ledgers)], **options) for number in range(WRITERS)]


def at_once(call: Callable[[int], Any]) -> list[Any]:
    return together([partial(call, number) for number in range(WRITERS)])


def test_br_21_entries_steps_and_guidance_are_all_kept(
    stores: list[Any], ledgers: list[Any]
) -> None:
    def write(number: int) -> None:
        for round_ in range(ROUNDS):
            asked(stores[number], f"{number}.{round_}", user_id="u")
            stores[number].save_trace_step("s", step(f"{number}.{round_}"), user_id="u")
            stores[number].create_session_context("s", lesson(f"{number}.{round_}"), user_id="u")

    assert at_once(write) == [None] * WRITERS
    expected = sorted(f"{number}.{round_}" for number in range(WRITERS) for round_ in range(ROUNDS))
    entries = stores[0].get_all_qa_entries("s", user_id="u")
    steps = stores[0].read_trace_steps("s", user_id="u")
    assert sorted(questions(entries)) == expected
    assert sorted(one.origin_function for one in steps) == expected
    context = stores[0].get_session_context("s", user_id="u")
    assert sorted(one.content for one in context) == expected
    for number in range(WRITERS):
        mine = [text for text in questions(entries) if text.startswith(f"{number}.")]
        assert mine == [f"{number}.{round_}" for round_ in range(ROUNDS)]
    # Dense numbers, and the session was begun once.
    events = ledgers[0].read("cognee:u:s")
    assert [one.sequence for one in events] == list(range(1, 3 * len(expected) + 2))
    assert [one.type for one in events].count("session.created") == 1
    assert views_of(ledgers[0]).session("cognee:u:s").anomaly_count == 0


def test_bp_19_m_11_u_11_flags_of_different_writers_all_survive(stores: list[Any]) -> None:
    [qa_id] = asked(stores[0], "q")

    def write(number: int) -> list[bool]:
        return [
            stores[number].update_qa_entry(
                "s", qa_id, SessionQAUpdate(memify_metadata={f"{number}.{round_}": True})
            )
            for round_ in range(ROUNDS)
        ]

    assert at_once(write) == [[True] * ROUNDS] * WRITERS
    [entry] = stores[1].get_all_qa_entries("s")
    assert len(entry.memify_metadata) == WRITERS * ROUNDS


FLAGS = """
import sys
from ledger import Ledger
from projections.session_stores.qa import QAStore, SessionQAUpdate
url, name = sys.argv[1:]
with Ledger.open(url) as ledger:
    store = QAStore(ledger)
    for round_ in range(20):
        flag = SessionQAUpdate(memify_metadata={f"{name}.{round_}": True})
        assert store.update_qa_entry("s", "qa", flag)
"""


@on_durable
@only_sync
def test_bp_19_flags_of_different_processes_all_survive(
    open_ledger: Callable[..., Any], url: str
) -> None:
    store = store_of(open_ledger())
    store.create_qa_entry("s", "q", "a", qa_id="qa")
    processes = [
        subprocess.Popen([sys.executable, "-c", FLAGS, url, name], stderr=subprocess.PIPE)
        for name in "ab"
    ]
    said = [one.communicate(timeout=DEADLINE_S)[1] for one in processes]
    assert said == [b"", b""]
    [entry] = store.get_all_qa_entries("s")
    assert entry.memify_metadata == {f"{one}.{n}": True for one in "ab" for n in range(20)}


def test_bp_22_changes_beside_creations_and_deletions_hit_the_right_entry(
    stores: list[Any],
) -> None:
    ids = asked(stores[0], *(f"q{number}" for number in range(WRITERS)))

    def write(number: int) -> list[Any]:
        store, mine = stores[number], ids[number]
        asked(store, f"new {number}")
        answers = [store.update_qa_entry("s", mine, SessionQAUpdate(answer=f"by {number}"))]
        answers.append(store.add_feedback("s", mine, score=number % 5 + 1, text=f"{number}"))
        if number % 2:
            answers.append(store.delete_qa_entry("s", mine))
        else:
            answers.append(store.delete_feedback("s", mine))
        return answers

    assert at_once(write) == [[True] * 3] * WRITERS
    found = {one.question: one for one in stores[0].get_all_qa_entries("s")}
    assert {name for name in found if name.startswith("new")} == {f"new {n}" for n in range(8)}
    kept = [name for name in found if name.startswith("q")]
    assert kept == ["q0", "q2", "q4", "q6"]
    for name in kept:
        assert found[name].answer == f"by {name[1:]}"
        assert found[name].feedback_score is found[name].feedback_text is None


def test_bp_18_of_eight_contents_under_one_id_one_is_kept(stores: list[Any]) -> None:
    same = at_once(lambda n: stores[n].create_qa_entry("s", "q", "a", qa_id="qa"))
    assert same == [Stored("qa", 2)] * WRITERS
    other = at_once(lambda n: stores[n].save_trace_step("s", step(f"{n}", trace_id="t")))
    won = [one for one in other if isinstance(one, Stored)]
    assert len({*won}) == len(won) == 1
    assert sum(isinstance(one, IdTaken) for one in other) == WRITERS - 1
    assert len(stores[0].get_all_qa_entries("s")) == stores[0].count_trace_steps("s") == 1


def test_bp_33_of_eight_upserts_of_one_id_one_row_is_left_and_ratings_add_up(
    stores: list[Any],
) -> None:
    at_once(lambda n: stores[n].create_session_context("s", lesson(f"{n}", id="c")))
    given = SessionFeedbackEntry(id="f", raw_text="x")
    at_once(lambda n: stores[n].create_session_context("s", given))
    [entry, said] = stores[0].get_session_context("s")
    assert (entry.content in "01234567", said) == (True, given)

    def write(number: int) -> list[bool]:
        rated = [stores[number].rate_session_context("s", "c", helpful=1) for _ in range(ROUNDS)]
        changes = {("priority" if number % 2 else "normalized_content"): 7.0 if number % 2 else "n"}
        return [*rated, stores[number].update_session_context("s", "c", changes)]

    assert at_once(write) == [[True] * (ROUNDS + 1)] * WRITERS
    entry = stores[1].get_session_context("s")[0]
    assert (entry.helpful_count, entry.priority) == (WRITERS * ROUNDS, 7.0)
    assert entry.normalized_content == "n"


def test_l_04_of_eight_that_end_delete_or_advance_one_is_told_so(stores: list[Any]) -> None:
    lists = [lifecycle_of(store) for store in stores]
    records = at_once(lambda n: lists[n].ensure_and_touch("s", dataset_id=DATASET))
    assert {(one.session_id, one.dataset_id) for one in records} == {("s", DATASET)}
    used = at_once(lambda n: lists[n].accumulate_usage("s", model="m", tokens_in=n + 1))
    assert len({*used}) == WRITERS
    assert lists[0].session_record("s").tokens_in == 36
    at_once(lambda n: lists[n].advance_watermark("s", "x", n + 1))
    assert lists[0].watermark("s", "x").sequence == WRITERS
    once = [False] * (WRITERS - 1) + [True]
    ends = at_once(lambda n: lists[n].mark_ended("s", "failed" if n % 2 else "completed"))
    assert sorted(ends) == once
    assert lists[0].session_record("s").status == (
        "failed" if ends.index(True) % 2 else "completed"
    )
    filled(stores[0])
    assert sorted(at_once(lambda n: stores[n].delete_qa_entry("s", "qa"))) == once
    assert sorted(at_once(lambda n: stores[n].delete_session_context_entry("s", "c"))) == once
    assert sorted(at_once(lambda n: stores[n].delete_session("s"))) == once
    cache_of(stores[0]).set_value("k", 1)
    assert sorted(at_once(lambda n: cache_of(stores[n]).delete_value("k"))) == once
    pruned = at_once(lambda n: stores[n].prune())
    assert pruned == [0] * WRITERS
    filled(stores[0])
    assert sorted(at_once(lambda n: stores[n].prune())) == [0] * (WRITERS - 1) + [1]


def test_m_25_u_24_what_was_there_is_forgotten_whoever_writes_meanwhile(
    stores: list[Any], ledgers: list[Any]
) -> None:
    drew = {"used_graph_element_ids": {"node_ids": ["n1"]}}
    ledgers[0].append("s", NewEvent({"content": "Hi", "role": "user"}, "message.appended"))
    before = asked(stores[0], "before", **drew)

    def work(number: int) -> int:
        if number % 4:
            for round_ in range(ROUNDS):
                asked(stores[number], f"{number}.{round_}")
                asked(stores[number], f"{number}.{round_} drew", **drew)
            return 0
        return stores[number].forget_elements(["n1"])

    assert sum(at_once(work)) > 0
    assert stores[0].get_qa_entries_by_ids("s", before) == []
    stores[0].forget_elements(["n1"])
    writers = [number for number in range(WRITERS) if number % 4]
    expected = sorted(f"{number}.{round_}" for number in writers for round_ in range(ROUNDS))
    assert sorted(questions(stores[0].get_all_qa_entries("s"))) == expected


@only_async
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("told", [{}, {"user_id": "u"}, {"dataset_id": DATASET}])
def test_br_21_of_many_who_begin_a_session_one_does_and_none_waits_for_all(
    ledger: Any, told: dict[str, Any], begun: bool
) -> None:
    if begun:  # by another store, which does not say whose it is
        key = ledger_session_id("s", told.get("user_id"))
        ledger.append(key, NewEvent({"agent_id": "a"}, "session.created"))
    tries = 0
    append = ledger._target.append

    async def counted(*args: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        return await append(*args, **options)

    ledger._target.append = counted
    store = AsyncQAStore(ledger._target)

    async def all_at_once() -> list[Any]:
        calls = [store.create_qa_entry("s", "q", str(n), **told) for n in range(MANY)]
        return await asyncio.gather(*calls)

    assert len(ledger._loop.run(all_at_once())) == MANY
    # All of them may have found nothing at first; a second time they find the session begun.
    assert MANY <= tries <= 2 * MANY + CONNECTIONS
    entries = ledger._loop.run(store.get_all_qa_entries("s", user_id=told.get("user_id")))
    assert sorted(int(entry.answer) for entry in entries) == list(range(MANY))


def test_u_15_an_expired_session_begins_anew_once(ledgers: list[Any]) -> None:
    clock = Clock()
    stores = stores_of(ledgers, session_ttl_s=100, clock=clock)
    asked(stores[0], "old", user_id="u")
    clock.forward(100)
    assert all(len(one) == 1 for one in at_once(lambda n: asked(stores[n], f"{n}", user_id="u")))
    found = stores[0].get_all_qa_entries("s", user_id="u")
    assert sorted(questions(found)) == [f"{number}" for number in range(WRITERS)]
    deleted = ledgers[0].read("cognee:u:s", types=["session.deleted"], deleted=True)
    assert len(deleted) == 1


def test_bp_39_what_expires_beside_others_facts_is_redacted_once(ledgers: list[Any]) -> None:
    clock = Clock()
    stores = stores_of(ledgers, session_ttl_s=100, clock=clock)
    said = {"role": "user", "content": "Hi"}
    ledgers[0].append("s", NewEvent(said, "message.appended", occurred_at=clock()))
    filled(stores[0])
    clock.forward(100)
    assert all(len(one) == 1 for one in at_once(lambda n: asked(stores[n], f"{n}", qa_id=f"{n}")))
    found = stores[0].get_all_qa_entries("s")
    assert sorted(questions(found)) == [f"{number}" for number in range(WRITERS)]
    assert len(ledgers[0].read("s", types=["content.redacted"])) == 1
    assert [one.content for one in views_of(ledgers[0]).messages("s")] == ["Hi"]
