"""The log against its model: random calls, and after each the two must agree."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger import Append, LedgerError
from tests.properties.model import Fact, Log, Refused, Row, Session, seen, wanted
from tests.properties.profile import SEED, examples
from tests.support.builders import all_session_ids

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MOMENTS = [NOON + timedelta(minutes=minute) for minute in range(3)]
TENANTS = ("t", "u")
SESSIONS = ("a", "b")
FORKS = ("f", "g")  # begun by forking alone
TYPES = ("a", "b", "session.forked", "session.deleted")

tenants = st.sampled_from(("t", "t", "t", "u"))  # few sessions, so that much happens in each
sessions = st.sampled_from(SESSIONS)
any_session = st.sampled_from(SESSIONS + FORKS)
facts = st.builds(
    Fact,
    event_id=st.sampled_from([f"e{number}" for number in range(12)]),
    type=st.sampled_from(["a", "b"]),
    text=st.sampled_from(["x", "y"]),
    run_id=st.sampled_from([None, "r"]),
    occurred=st.sampled_from([None, *MOMENTS]),
)
fresh = st.lists(facts, min_size=2, max_size=5)
expectations = st.sampled_from([None, None, "right", "stale"])
incarnations = st.sampled_from([None, None, None, "right", "right", "first", "later"])
small = st.integers(0, 8)
options_of_read: dict[str, st.SearchStrategy[Any]] = {
    "after": small,
    "before": small,
    "run_id": st.just("r"),
    "types": st.lists(st.sampled_from(TYPES), max_size=3),
    "since": st.sampled_from(MOMENTS),
    "until": st.sampled_from(MOMENTS),
    "limit": st.integers(0, 5),
    "newest_first": st.just(True),
    "lineage": st.just(True),
    "deleted": st.just(True),
}
# Few at a time: all together leave nothing to compare.
filters = st.sets(st.sampled_from(sorted(options_of_read)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: options_of_read[name] for name in sorted(names)})
)


class Consumer:
    """A reader of the feed that remembers nothing but its cursor."""

    def __init__(self, cursor: str, **options: Any) -> None:
        self.cursor = cursor
        self.options = options
        self.seen: dict[int, list[Any]] = defaultdict(list)

    def poll(self, ledger: Any, limit: int) -> bool:
        page = ledger.feed(self.cursor, limit=limit, **self.options)
        assert len(page.events) <= limit
        self.cursor = page.cursor
        for event in page.events:
            self.seen[event.bucket] += seen([event])
        return bool(page.more)

    def wants(self, row: Row) -> bool:
        types, tenant = self.options.get("types"), self.options.get("tenant")
        return (types is None or row.fact.type in types) and tenant in (None, row.session[0])


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the name of the error that it raises."""
    try:
        return call()
    except LedgerError as error:
        return type(error).__name__
    except Refused as refused:
        return str(refused)


class LogMachine(RuleBasedStateMachine):
    """Calls on a ledger and on the model; tenants are new in every example."""

    open_ledger: Callable[..., Any]
    durable: bool
    numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self.ledger = self.open_ledger()
        self.log = Log(self.ledger.door.bucket)
        self.prefix = f"{next(self.numbers)}:"
        self.ids = count()
        start = self.ledger.feed().cursor
        while (page := self.ledger.feed(start, limit=10_000)).events:
            start = page.cursor
        self.consumers = [
            Consumer(start),
            Consumer(start),
            Consumer(start, types=["a", "session.deleted"]),
            Consumer(start, tenant=self.tenant("t")),
            Consumer(start, types=["b"], tenant=self.tenant("u")),
        ]

    def tenant(self, name: str) -> str:
        return self.prefix + name

    def expected(self, session: Session, kind: str | None) -> int | None:
        head = self.log.head(session)
        return {None: None, "right": head, "stale": head + 1 if head == 0 else head - 1}[kind]

    def both(self, call: Callable[[], Any], model: Callable[[], Any]) -> tuple[Any, Any]:
        """Make a call on both sides; what one refuses the other refuses for the same reason."""
        got, answer = outcome(call), outcome(model)
        if isinstance(got, str) or isinstance(answer, str):
            assert got == answer
            return None, None
        return got, answer

    def incarnation(self, session: Session, kind: str | None) -> int | None:
        current = self.log.incarnation(session)
        return {None: None, "right": current, "first": 0, "later": current + 1}[kind]

    def append(self, parts: list[tuple[Session, list[Fact], int | None, int | None]]) -> None:
        appends = [
            Append(session, [fact.event() for fact in some], tenant, expected, incarnation)
            for (tenant, session), some, expected, incarnation in parts
        ]
        got, answer = self.both(
            lambda: self.ledger.append_many(appends), lambda: self.log.append(parts)
        )
        if answer is not None:
            assert [[(one.sequence, one.stored) for one in part] for part in got] == answer
            for (session, some, _, _), part in zip(parts, got, strict=True):
                stored = [self.log.find(session, fact.event_id) for fact in some]
                assert seen(one.event for one in part) == wanted(stored)

    @initialize(some=fresh, more=fresh, at=st.integers(1, 2))
    def begin(self, some: list[Fact], more: list[Fact], at: int) -> None:
        self.append_new("t", "a", some, None, None)
        self.fork("t", "a", "f", at)
        self.append_new("t", "f", more, None, "first")

    @rule(tenant=tenants, session=sessions, some=fresh, kind=expectations, life=incarnations)
    def append_new(
        self, tenant: str, session: str, some: list[Fact], kind: str | None, life: str | None
    ) -> None:
        key = (self.tenant(tenant), session)
        new = [replace(fact, event_id=f"n{next(self.ids)}") for fact in some]
        self.append([(key, new, self.expected(key, kind), self.incarnation(key, life))])

    @rule(
        tenant=tenants,
        session=sessions,
        some=st.lists(facts, min_size=1, max_size=3),
        kind=expectations,
        life=incarnations,
    )
    def append_perhaps_again(
        self, tenant: str, session: str, some: list[Fact], kind: str | None, life: str | None
    ) -> None:
        key = (self.tenant(tenant), session)
        self.append([(key, some, self.expected(key, kind), self.incarnation(key, life))])

    @rule(tenant=tenants, session=st.sampled_from(FORKS), some=fresh)
    def append_to_a_fork(self, tenant: str, session: str, some: list[Fact]) -> None:
        if self.log.head((self.tenant(tenant), session)):
            self.append_new(tenant, session, some, None, None)

    @rule(data=st.data(), tenant=tenants, session=any_session, kind=expectations, life=incarnations)
    def append_one_that_is_there(
        self, data: st.DataObject, tenant: str, session: str, kind: str | None, life: str | None
    ) -> None:
        key = (self.tenant(tenant), session)
        there = [row.fact for row in self.log.rows(key) if row.fact.type in ("a", "b")]
        if there:
            some = data.draw(st.lists(st.sampled_from(there), min_size=1, max_size=3))
            some += [Fact(f"n{next(self.ids)}")] * data.draw(st.integers(0, 1))
            self.append([(key, some, self.expected(key, kind), self.incarnation(key, life))])

    @rule(
        parts=st.lists(
            st.tuples(
                tenants,
                sessions,
                st.lists(facts, min_size=1, max_size=2),
                expectations,
                incarnations,
            ),
            min_size=2,
            max_size=4,
        )
    )
    def append_to_several(
        self, parts: list[tuple[str, str, list[Fact], str | None, str | None]]
    ) -> None:
        told: set[Session] = set()
        given = []
        for tenant, session, some, kind, life in parts:
            key = (self.tenant(tenant), session)
            conditions = (self.expected(key, kind), self.incarnation(key, life))
            given.append((key, some, *((None, None) if key in told else conditions)))
            told.add(key)
        self.append(given)

    @rule(tenant=tenants, parent=any_session, into=any_session, at=st.integers(0, 5))
    def fork(self, tenant: str, parent: str, into: str, at: int) -> None:
        owner = self.tenant(tenant)
        got, answer = self.both(
            lambda: self.ledger.fork(parent, at, into, tenant=owner),
            lambda: self.log.fork(owner, parent, at, into),
        )
        if answer is not None:
            assert (got.sequence, got.stored) == answer

    @rule(data=st.data(), tenant=tenants)
    def fork_again(self, data: st.DataObject, tenant: str) -> None:
        owner = self.tenant(tenant)
        forks = [rows[0] for (one, _), rows in self.log.sessions.items() if one == owner]
        forks = [row for row in forks if row.parent is not None]
        if forks:
            row = data.draw(st.sampled_from(forks))
            self.fork(tenant, row.parent[0], row.session[1], row.parent[1])

    @rule(tenant=tenants, session=any_session)
    def delete(self, tenant: str, session: str) -> None:
        owner = self.tenant(tenant)
        got = self.ledger.delete(session, tenant=owner)
        assert got == self.log.delete((owner, session), f"d{next(self.ids)}")

    @rule(tenant=tenants, options=filters)
    def read(self, tenant: str, options: dict[str, Any]) -> None:
        owner = self.tenant(tenant)
        for session in SESSIONS + FORKS:
            events = self.ledger.read(session, tenant=owner, **options)
            assert seen(events) == wanted(self.log.read((owner, session), **options))

    @rule(tenant=tenants, options=filters)
    def read_lineages(self, tenant: str, options: dict[str, Any]) -> None:
        owner = self.tenant(tenant)
        for session in FORKS:
            events = self.ledger.read(session, tenant=owner, **(options | {"lineage": True}))
            assert seen(events) == wanted(
                self.log.read((owner, session), **(options | {"lineage": True}))
            )

    @rule(data=st.data(), tenant=tenants, session=any_session, deleted=st.booleans())
    def get(self, data: st.DataObject, tenant: str, session: str, deleted: bool) -> None:
        key = (self.tenant(tenant), session)
        # Deletions and forks have ids of the ledger's own.
        there = [
            r.fact.event_id for r in self.log.rows(key) if not r.fact.type.startswith("session")
        ]
        event_id = data.draw(st.sampled_from(["e0", *there]))
        event = self.ledger.get(session, event_id, tenant=key[0], deleted=deleted)
        rows = self.log.rows(key) if deleted else self.log.visible(key)
        found = [row for row in rows if row.fact.event_id == event_id]
        assert seen([event] if event else []) == wanted(found)

    @rule(tenant=tenants, session=any_session)
    def head(self, tenant: str, session: str) -> None:
        owner = self.tenant(tenant)
        assert self.ledger.head(session, tenant=owner) == self.log.head((owner, session))
        heads = self.ledger.heads([*SESSIONS, *FORKS], tenant=owner)
        assert {name: (head.sequence, head.incarnation) for name, head in heads.items()} == {
            name: (self.log.head((owner, name)), self.log.incarnation((owner, name)))
            for name in (*SESSIONS, *FORKS)
        }

    @rule(tenant=tenants, limit=st.integers(1, 5), deleted=st.booleans())
    def list_sessions(self, tenant: str, limit: int, deleted: bool) -> None:
        owner = self.tenant(tenant)
        found = all_session_ids(self.ledger, tenant=owner, limit=limit, deleted=deleted)
        assert sorted(found) == sorted(self.log.session_ids(owner, deleted=deleted))

    @rule(number=st.integers(0, 4), limit=st.integers(1, 7))
    def poll(self, number: int, limit: int) -> None:
        self.consumers[number].poll(self.ledger, limit)

    @precondition(lambda self: self.durable)
    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = self.open_ledger()

    def teardown(self) -> None:
        for consumer in self.consumers:
            while consumer.poll(self.ledger, 3):
                pass
            for bucket in range(self.ledger.buckets):
                rows = [row for row in self.log.buckets.get(bucket, []) if consumer.wants(row)]
                assert consumer.seen[bucket] == wanted(rows)
        for tenant, session in self.log.sessions:
            events = self.ledger.read(session, tenant=tenant, deleted=True)
            assert seen(events) == wanted(self.log.rows((tenant, session)))
        if self.durable:
            self.ledger.close()


EXAMPLES = {"memory": 60, "sqlite": 25, "postgresql": 10}


def run_machine(url: str, open_ledger: Callable[..., Any], times: int = 1) -> None:
    kind = url.partition(":")[0]
    shared = open_ledger(buckets=3)

    class Machine(LogMachine):
        durable = kind != "memory"

        def __init__(self) -> None:
            self.open_ledger = open_ledger if self.durable else lambda: shared
            super().__init__()

    machine = seed(SEED)(Machine)
    settings = examples(times * EXAMPLES[kind], stateful_step_count=50)
    run_state_machine_as_test(machine, settings=settings)


def test_the_log_is_what_its_model_says(url: str, open_ledger: Callable[..., Any]) -> None:
    run_machine(url, open_ledger)


@pytest.mark.soak
def test_the_log_is_what_its_model_says_for_long(url: str, open_ledger: Callable[..., Any]) -> None:
    run_machine(url, open_ledger, times=40)
