"""Many at once: nothing is lost, nothing is numbered twice, nobody fails."""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.orchestrator import (
    ExecutionResult,
    RetentionPolicy,
    RunRecord,
    SessionRecord,
)
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    at,
    event,
    events,
    ids,
    numbers,
    refused,
    run_of,
    session,
    upkeep_of,
)
from tests.support.builders import together

WRITERS = 8
ROUNDS = 2
#: As many as the original's tests, of all that the specification counts.
MANY = 100


def all_at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Start all calls at once and return what they returned; the first error is raised."""
    answers = together(calls)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def test_asm_76_78_90_sessions_saved_and_deleted_at_once(store: Store) -> None:
    names = [f"s{number}" for number in range(MANY)]
    all_at_once(*(partial(store.save_session, session(name)) for name in names))
    assert sorted(ids(store.list_sessions())) == sorted(names)
    all_at_once(*(partial(store.delete_session, name) for name in names))
    assert store.list_sessions() == []


def test_asm_77_u35_updates_of_one_session_are_whole(store: Store) -> None:
    store.save_session(session())
    wanted = [{"writer": number, "twice": [number]} for number in range(MANY // 2)]
    saves = [partial(store.save_session, session(metadata=one)) for one in wanted]
    reads = [partial(store.get_session, "s") for _ in wanted]
    all_at_once(*saves, *reads)
    assert store.get_session("s").metadata in wanted
    amended = [one.data for one in store.ledger.read("s", types=["session.amended"])]
    assert sorted(one["metadata"]["writer"] for one in amended) == list(range(MANY // 2))


def test_asm_79_runs_saved_at_once_are_each_in_their_session(store: Store) -> None:
    runs = [run_of(f"s{n}", f"r{n}") for n in range(MANY)]
    all_at_once(*(partial(store.save_run, one) for one in runs))
    listed = [ids(store.list_runs(one.session_id)) for one in runs]
    assert listed == [[one.id] for one in runs]


def test_asm_80_updates_of_one_run_are_whole(store: Store) -> None:
    updates = [run_of(token_usage={"total_tokens": n}, turn_count=n) for n in range(1, MANY + 1)]
    all_at_once(*(partial(store.save_run, one) for one in updates))
    run = store.get_run("r")
    assert (run.token_usage["total_tokens"], run.session_id) == (run.turn_count, "s")
    assert len(store.list_runs("s")) == 1


def test_asm_u35_of_changes_to_one_session_and_one_run_none_is_lost(store: Store) -> None:
    store.save_session(session(tags=["first"]))
    store.save_run(run_of(status="running"))

    def in_session(writer: int, one: SessionRecord) -> SessionRecord:
        count = one.metadata.get("count", 0) + 1
        return replace(one, metadata={"count": count}, tags=[*one.tags, f"{writer}.{count}"])

    def in_run(one: RunRecord) -> RunRecord:
        used = {"total_tokens": one.token_usage.get("total_tokens", 0) + 5}
        return replace(
            one, turn_count=one.turn_count + 1, token_usage=used, cost_usd=(one.cost_usd or 0) + 0.5
        )

    def work(writer: int) -> None:
        for _ in range(ROUNDS):
            store.update_session("s", partial(in_session, writer))
            store.update_run("r", in_run)

    all_at_once(*(partial(work, writer) for writer in range(WRITERS)))
    count = WRITERS * ROUNDS
    found = store.get_session("s")
    assert (found.metadata, len(found.tags)) == ({"count": count}, count + 1)
    run = store.get_run("r")
    assert (run.turn_count, run.token_usage) == (count, {"total_tokens": 5 * count})
    assert run.cost_usd == 0.5 * count
    used = store.views.session("s")
    assert used is not None
    assert (used.total_tokens, used.cost_usd) == (5 * count, 0.5 * count)


def test_of_writers_that_end_a_run_exactly_one_succeeds(store: Store) -> None:
    store.save_run(run_of(status="running"))
    ends = ["completed", "failed", "cancelled", "timeout"] * 2
    told = [
        partial(store.save_run, run_of(status=status, metadata={"writer": number}))
        for number, status in enumerate(ends)
    ]
    answers = together(told)
    winner = store.get_run("r")
    for status, answer in zip(ends, answers, strict=True):
        assert (answer is None) == (status == winner.status), answer
    ending = [one for one in store.ledger.read("s") if one.type.startswith("run.")]
    assert len([one for one in ending if one.type not in ("run.started", "run.amended")]) == 1
    assert ends[winner.metadata["writer"]] == winner.status


def test_flushes_at_once_lose_nothing(store: Store) -> None:
    results = [
        ExecutionResult(
            session=session(), run=run_of(id=f"r{n}", status="completed"), events=events(f"e{n}")
        )
        for n in range(WRITERS)
    ]
    all_at_once(*(partial(store.flush, one) for one in results))
    assert sorted(ids(store.list_runs("s"))) == [f"r{n}" for n in range(WRITERS)]
    assert sorted(ids(store.get_events("s"))) == [f"e{n}" for n in range(WRITERS)]


def test_asm_43_82_86_appends_to_one_session_get_all_numbers(store: Store) -> None:
    # Numbers of the callers' own are no numbers: many are the same here.
    given = [event(f"e{n}", sequence_number=(1, None, 99)[n % 3]) for n in range(MANY)]
    stored = all_at_once(*(partial(store.append_event_with_sequence, one) for one in given))
    assert sorted(numbers(stored)) == list(range(1, MANY + 1))
    assert store.get_latest_sequence("s") == MANY
    assert sorted(ids(store.get_events("s"))) == sorted(ids(given))


def test_asm_81_83_all_readers_at_once_see_everything(store: Store) -> None:
    given = [event(f"{n}") for n in range(50)]
    store.append_events(given)
    store.save_run(run_of(id="pending"))
    store.save_run(run_of(id="running", status="running"))
    active = all_at_once(*[partial(store.get_active_run, "s")] * MANY)
    assert [one.id for one in active] == ["running"] * MANY
    read = all_at_once(*[partial(store.get_events, "s")] * MANY)
    assert [ids(found) for found in read] == [ids(given)] * MANY


def test_asm_84_85_readers_and_writers_do_not_disturb_each_other(store: Store) -> None:
    store.append_events([event(f"{n}", session_id="read") for n in range(50)])
    store.save_run(run_of("read", "pending"))
    store.save_run(run_of("read", "running", status="running"))
    for n in range(10):
        calls: list[Callable[[], Any]] = []
        for m in range(10):
            name = f"s{m % 2}"
            calls += [
                partial(store.save_session, session(name, metadata={"n": n, "m": m})),
                partial(store.save_run, run_of(name, f"r{m}", turn_count=n)),
                partial(store.append_event, event(f"e{n}.{m}", session_id=name)),
                partial(store.get_events, "read"),
                partial(store.get_active_run, "read"),
                partial(store.list_sessions),
            ]
        answers = all_at_once(*calls)
        assert {len(found) for found in answers[3::6]} == {50}
        assert {found.id for found in answers[4::6]} == {"running"}
    assert sorted(ids(store.list_sessions())) == ["s0", "s1"]
    for n in (0, 1):
        assert store.get_session(f"s{n}").metadata["n"] == 9
        told = [f"e{m}.{k}" for m in range(10) for k in range(n, 10, 2)]
        assert sorted(ids(store.get_events(f"s{n}"))) == sorted(told)
        assert sorted(ids(store.list_runs(f"s{n}"))) == [f"r{m}" for m in range(n, 10, 2)]


def test_asm_87_batches_stay_whole(store: Store) -> None:
    batches = [events(*(f"{n}.{m}" for m in range(5))) for n in range(10)]
    stored = all_at_once(*(partial(store.append_events, batch) for batch in batches))
    assert sorted(number for one in stored for number in numbers(one)) == list(range(1, 51))
    for one in stored:
        first = one[0].sequence_number
        assert numbers(one) == list(range(first, first + 5))
    found = store.get_events("s")
    assert (numbers(found), store.get_latest_sequence("s")) == (list(range(1, 51)), 50)
    told = sorted(stored, key=lambda one: one[0].sequence_number)
    assert found == [each for one in told for each in one]


def test_asm_u6_one_event_appended_by_all_is_there_once(store: Store) -> None:
    one = event("e")
    stored = all_at_once(
        *(partial(store.append_event_with_sequence, replace(one)) for _ in range(WRITERS))
    )
    assert stored == [replace(one, sequence_number=1)] * WRITERS
    others = [event("f", data={"writer": n}) for n in range(WRITERS)]
    answers = together([partial(store.append_event_with_sequence, one) for one in others])
    assert [getattr(one, "code", "stored") for one in answers].count("already_exists") == 7
    assert ids(store.get_events("s")) == ["e", "f"]


def test_maintenance_at_once_does_everything_once(store: Store) -> None:
    for n in range(3):
        store.save_session(session(f"s{n}", created_at=at(0)))
    store.append_events([event(f"e{n}", session_id="s0", timestamp=at(0)) for n in range(10)])
    upkeeps = [upkeep_of(store, lambda: at(200 * 86_400)) for _ in range(WRITERS)]
    policy = RetentionPolicy(max_events_per_session=4)
    pruned = all_at_once(*(partial(one.prune_session_events, "s0", policy) for one in upkeeps))
    assert sorted(pruned) == [0] * 7 + [6]
    assert len(store.ledger.read("s0", types=["content.redacted"])) == 1
    assert ids(store.get_events("s0")) == ["e6", "e7", "e8", "e9"]
    assert (
        sum(
            all_at_once(
                *(partial(one.soft_delete_expired_sessions, RetentionPolicy()) for one in upkeeps)
            )
        )
        == 2
    )
    assert [one.id for one in store.list_sessions() if one.deleted_at is None] == ["s0"]
    for n in range(3):
        kept = NewEvent({"artifact_id": f"f{n}", "key": f"k{n}"}, "artifact.registered")
        store.ledger.append("orphan", kept)
    cleaned = all_at_once(*(one.clean_orphaned_artifacts for one in upkeeps))
    assert sorted(cleaned) == [0] * 7 + [3]


def test_a_session_deleted_at_once_with_writers_keeps_nothing_of_before(store: Store) -> None:
    store.save_session(session(metadata={"of": "before"}))
    store.save_run(run_of(id="before"))
    saves = [partial(store.save_run, run_of(id=f"r{n}")) for n in range(WRITERS)]
    all_at_once(*saves, partial(store.delete_session, "s"))
    assert set(ids(store.list_runs("s"))) <= {f"r{n}" for n in range(WRITERS)}
    with refused("session_not_found"):
        store.get_session("s")
    sequences = [one.sequence for one in store.ledger.read("s", deleted=True)]
    assert sequences == list(range(1, len(sequences) + 1))
