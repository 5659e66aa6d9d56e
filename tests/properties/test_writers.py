"""Random writers at once: whatever the order was, the log must be one that explains all answers."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import count
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Append, Appended, EventIdReused, SequenceConflict
from tests.properties.model import Fact, Log, Refused, seen, wanted
from tests.properties.profile import SEED, examples
from tests.support.builders import sequences, together, whole_feed

SESSIONS = ("a", "b")
EXAMPLES = {"memory": 40, "sqlite": 25, "postgresql": 15}

facts = st.builds(
    Fact,
    event_id=st.sampled_from([f"e{number}" for number in range(6)]),
    text=st.sampled_from(["x", "y"]),
)
call = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(SESSIONS), st.lists(facts, min_size=1, max_size=3)),
        min_size=1,
        max_size=2,
        unique_by=lambda part: part[0],
    ),
    st.sampled_from([None, None, None, 0, 1, 2, 3]),
)
writers = st.lists(st.lists(call, min_size=1, max_size=4), min_size=2, max_size=4)


def test_every_answer_is_explained_by_one_order(url: str, open_ledger: Callable[..., Any]) -> None:
    ledger = open_ledger(buckets=2)
    tenants = (f"t{number}" for number in count())

    @seed(SEED)
    @examples(EXAMPLES[url.partition(":")[0]])
    @given(writers)
    def check(scripts: list[list[Any]]) -> None:
        tenant = next(tenants)
        play = partial(write, ledger, tenant)
        answers = together([partial(play, script) for script in scripts])
        assert [one for one in answers if isinstance(one, Exception)] == []
        done = [entry for entries in answers for entry in entries]
        explain(ledger, tenant, done)

    check()


def write(ledger: Any, tenant: str, script: list[Any]) -> list[tuple[Any, Any]]:
    """Make the calls of one writer and return each with its answer."""
    done = []
    for parts, expected in script:
        appends = [
            Append(session, [fact.event() for fact in some], tenant, expected)
            for session, some in parts
        ]
        try:
            done.append(((parts, expected), ledger.append_many(appends)))
        except (SequenceConflict, EventIdReused) as error:
            done.append(((parts, expected), error))
    return done


def explain(ledger: Any, tenant: str, done: list[tuple[Any, Any]]) -> None:
    """Replay the calls that stored something in the order of the log, and judge the others by it."""
    log = Log(ledger.door.bucket)

    def parts_of(call: Any) -> list[Any]:
        parts, expected = call
        return [((tenant, session), some, expected, None) for session, some in parts]

    storing = [
        (call, answer)
        for call, answer in done
        if isinstance(answer, list) and any(one.stored for part in answer for one in part)
    ]
    # Calls on a session exclude each other, so whichever fits now may come first: nothing that comes
    # before it could leave its numbers free.
    while storing:
        ready = (entry for entry in storing if explains(log, parts_of(entry[0]), entry[1]))
        entry = next(ready, None)
        assert entry is not None, "no order of these calls gives this log"
        storing.remove(entry)
        log.append(parts_of(entry[0]))
    for session in SESSIONS:
        events = ledger.read(session, tenant=tenant)
        assert seen(events) == wanted(log.rows((tenant, session)))
        assert sequences(events) == list(range(1, len(events) + 1))
    assert len(whole_feed(ledger, tenant=tenant)) == sum(map(len, log.sessions.values()))
    for call, answer in done:
        judge(log, parts_of(call), answer)


def explains(log: Log, parts: list[Any], answer: list[list[Appended]]) -> bool:
    """Whether the call, made now, gets this answer."""
    try:
        expected = deepcopy(log).append(parts)
    except Refused:
        return False
    return expected == [[(one.sequence, one.stored) for one in part] for part in answer]


def judge(log: Log, parts: list[Any], answer: Any) -> None:
    """Check a call that stored nothing against the final log, which has all that it may have met."""
    if isinstance(answer, SequenceConflict):
        session = (answer.tenant, answer.session_id)
        assert answer.actual <= log.head(session)
        assert (session, answer.expected) in [(key, expected) for key, _, expected, _ in parts]
        assert answer.actual != answer.expected
    elif isinstance(answer, EventIdReused):
        session = (answer.tenant, answer.session_id)
        stored = log.find(session, answer.event_id)
        mine = [
            f
            for key, some, _, _ in parts
            for f in some
            if key == session and f.event_id == answer.event_id
        ]
        others = [*mine, stored.fact] if stored else mine
        assert len({fact.text for fact in others}) > 1
    else:
        for (key, some, _, _), part in zip(parts, answer, strict=True):
            rows = [log.find(key, fact.event_id) for fact in some]
            assert [row.sequence for row in rows] == sequences(part)
            assert all(fact.repeats(row.fact) for fact, row in zip(some, rows, strict=True))


def test_the_judge_knows_a_log_that_cannot_be(open_ledger: Callable[..., Any]) -> None:
    log = Log(open_ledger().door.bucket)
    log.append([(("", "s"), [Fact("e")], 0, None)])
    for refused in (
        [(("", "s"), [Fact("f")], 0, None)],
        [(("", "s"), [Fact("e", text="y")], None, None)],
    ):
        try:
            log.append(refused)
        except Refused:
            continue
        raise AssertionError("the model accepts what the ledger must refuse")
