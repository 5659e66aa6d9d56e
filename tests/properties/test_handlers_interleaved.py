"""Runners of a handler, step by step in any order, killed anywhere: none is missed, few repeat."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Event, Ledger
from ledger.plans import Plan, run
from projections.backends import open_views
from projections.engine.handling.pace import Pace
from projections.engine.handling.running import Handling
from tests.properties.profile import SEED, examples
from tests.support.builders import note, sessions_in_buckets
from tests.support.handling import Clock, handler

RUNNERS = 3
BUCKETS = 2
PACE = Pace(repeats_max=2, checkpoint_s=4.0, claim_s=10.0)
TICK_S = 5.0

WEIGHTS = {"step": 24, "append": 2, "tick": 2, "kill": 1, "upgrade": 1}
acts = st.tuples(
    st.sampled_from([act for act, weight in WEIGHTS.items() for _ in range(weight)]),
    st.integers(0, RUNNERS - 1),
)


class World:
    """A log, and runners of one handler whose plans go on one call at a time."""

    def __init__(self) -> None:
        self.ledger = Ledger.open("memory:", buckets=BUCKETS)
        self.sessions = sessions_in_buckets(self.ledger, BUCKETS)
        self.clock = Clock()
        self.calls: list[tuple[str, int]] = []
        self.versions = [1] * RUNNERS
        self.handlings = [self.started(number) for number in range(RUNNERS)]
        self.plans: list[Plan[Any] | None] = [None] * RUNNERS
        self.replies: dict[int, Any] = {}

    def started(self, number: int) -> Handling:
        """Return a new process's runner."""
        version = self.versions[number]

        def handle(event: Event, key: str) -> None:
            self.calls.append((key, version))

        backend = self.ledger.backend
        wanted = [handler(handle, version=version)]
        views = open_views(backend)
        return Handling(backend, views, self.ledger.upcasts, wanted, PACE, self.clock, lambda: True)

    def step(self, number: int) -> None:
        """Let a runner go on up to its next call of a store, or of the handler."""
        plan = self.plans[number]
        try:
            if plan is None:
                plan = self.plans[number] = self.handlings[number].advance()
                self.replies[number] = next(plan)
            else:
                self.replies[number] = plan.send(self.replies[number])
        except StopIteration:
            self.plans[number] = None

    def kill(self, number: int) -> None:
        """End a runner where it is, and start another in its place."""
        plan, self.plans[number] = self.plans[number], None
        if plan is not None:
            plan.close()
        self.handlings[number] = self.started(number)

    def finish(self) -> None:
        """Let a runner of the highest version outlive all others."""
        for number in range(RUNNERS):
            self.kill(number)
        last = max(range(RUNNERS), key=self.versions.__getitem__)
        for _ in range(4):
            run(self.handlings[last].advance())
            self.clock.now += TICK_S


def events(world: World) -> Iterator[Event]:
    for session_id in world.sessions:
        yield from world.ledger.read(session_id)


@seed(SEED)
@examples(60)
@given(st.booleans(), st.lists(acts, min_size=60, max_size=300))
def test_no_event_is_missed_and_only_what_stalled_or_died_repeats(
    stalling: bool, history: list[tuple[str, int]]
) -> None:
    world = World()
    ticks = 0
    for session_id in world.sessions:
        world.ledger.append(session_id, [note() for _ in range(3)])
    for act, number in history:
        if act == "step":
            world.step(number)
        elif act == "append":
            world.ledger.append(world.sessions[number % BUCKETS], note())
        elif act == "tick":
            ticks += stalling
            world.clock.now += TICK_S * stalling
        else:
            world.versions[number] += act == "upgrade"
            world.kill(number)
    before = len(world.calls)
    world.finish()
    keys = [key for key, _ in world.calls]
    assert {*keys} == {handler(print).key(event) for event in events(world)}
    # Nobody takes a claim before its beat stood still for two ticks; at the end, once per bucket.
    assert len(keys) - len({*keys}) <= PACE.repeats_max * BUCKETS * (ticks + 1)
    if not ticks:
        assert len({*keys[:before]}) == before
    world.ledger.close()
