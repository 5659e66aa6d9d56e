"""What writers were told, and whether the log keeps every word of it."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ledger import Append, Appended, Event, NewEvent
from tests.support.builders import whole_feed

SESSIONS = tuple(f"session-{number}" for number in range(24))


class Claim(NamedTuple):
    """One acknowledged event; `stored` is False when it had been stored before this answer."""

    session_id: str
    event_id: str
    sequence: int
    stored: bool


class Claims:
    """Everything that was acknowledged, gathered from any number of threads."""

    def __init__(self) -> None:
        self._sequences: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self.repeated = 0

    def __len__(self) -> int:
        return len(self._sequences)

    def add(self, claims: Iterable[Claim]) -> None:
        """Take note of one answer."""
        with self._lock:
            for claim in claims:
                self._sequences[claim.session_id, claim.event_id] = claim.sequence
                self.repeated += not claim.stored

    def update(self, others: "Claims") -> None:
        """Take note of everything that others have gathered."""
        with self._lock:
            self._sequences |= others._sequences
            self.repeated += others.repeated

    def check(self, ledger: Any) -> list[Event]:
        """Return the whole log after making sure that it is sound and holds all claims."""
        events = whole_feed(ledger)
        check_numbers(events)
        check_batches(events)
        found = {(event.session_id, event.event_id): event.sequence for event in events}
        assert len(found) == len(events), "an event is stored twice"
        missing = {key: at for key, at in self._sequences.items() if found.get(key) != at}
        assert missing == {}
        assert ledger.verify().findings == ()
        return events


def check_numbers(events: Iterable[Event]) -> None:
    """Assert that positions per bucket and sequences per session are 1, 2, 3 … as they come."""
    positions: dict[int, list[int]] = defaultdict(list)
    sequences: dict[str, list[int]] = defaultdict(list)
    for event in events:
        positions[event.bucket].append(event.position)
        sequences[event.session_id].append(event.sequence)
    for numbers in [*positions.values(), *sequences.values()]:
        assert numbers == list(range(1, len(numbers) + 1))


def check_batches(events: Iterable[Event]) -> None:
    """Assert that every batch of which something is there is there as a whole."""
    parts: Counter[str] = Counter()
    sizes: dict[str, int] = {}
    for event in events:
        parts[event.data["batch"]] += 1
        sizes[event.data["batch"]] = event.data["size"]
    assert dict(parts) == sizes


def batch(name: str, size: int) -> list[NewEvent]:
    """Return the events of one batch, each knowing of the others."""
    return [
        NewEvent({"batch": name, "size": size}, "fault.write", event_id=f"{name}:{part}")
        for part in range(size)
    ]


def writes(ledger: Any, writer: str, seed: int) -> Iterator[list[Claim]]:
    """Append single events, batches and batches over sessions, and yield each answer; endless.

    All writers write to the same sessions, and every event id is used by one of them once.
    """
    chance = random.Random(f"{seed}:{writer}")
    number = 0
    while True:
        number += 1
        name = f"{writer}:{number}"
        one, other = chance.sample(SESSIONS, 2)
        answers: list[Appended]
        kind = chance.randrange(3)
        if kind == 0:
            answers = [ledger.append(one, batch(name, 1)[0])]
        elif kind == 1:
            answers = ledger.append(one, batch(name, 3))
        else:
            first, second, third = batch(name, 3)
            both = ledger.append_many([Append(one, (first, second)), Append(other, (third,))])
            answers = [answer for answers in both for answer in answers]
        yield [claim_of(answer) for answer in answers]


def claim_of(answer: Appended) -> Claim:
    """Return what an answer says."""
    event = answer.event
    return Claim(event.session_id, event.event_id, event.sequence, answer.stored)


def write_until(
    is_over: Callable[[], bool], ledger: Any, claims: Claims, writer: str, seed: int
) -> None:
    """Write and keep the answers until a condition holds."""
    for answer in writes(ledger, writer, seed):
        claims.add(answer)
        if is_over():
            return
