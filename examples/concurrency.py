"""Two agents decide at the same time; the second one has to look again before it acts."""

from ledger import Ledger, NewEvent, SequenceConflict


def seats_left(ledger: Ledger) -> tuple[int, int]:
    """Return what is left of two seats, and the sequence that this is true at."""
    events = ledger.read("flight-12")
    return 2 - sum(event.data["seats"] for event in events), len(events)


def book(ledger: Ledger, who: str, seats: int, seen: tuple[int, int]) -> bool:
    """Book if there is room; whoever lost a race reads again and decides again."""
    while True:
        left, sequence = seen
        if left < seats:
            return False
        event = NewEvent({"who": who, "seats": seats}, "seats.booked", event_id=f"booking:{who}")
        try:
            ledger.append("flight-12", event, expected=sequence)
        except SequenceConflict as conflict:
            print(f"{who}: expected {conflict.expected}, it is {conflict.actual}; looking again")
            seen = seats_left(ledger)
        else:
            return True


with Ledger.open("memory:") as ledger:
    # Both have read the same empty plane.
    ann = bob = seats_left(ledger)
    assert book(ledger, "ann", 1, ann)
    assert not book(ledger, "bob", 2, bob)
    print("left:", seats_left(ledger)[0])

    # Without an expectation appends simply queue; a repeated id is the same booking.
    again = ledger.append(
        "flight-12",
        NewEvent({"who": "ann", "seats": 1}, "seats.booked", event_id="booking:ann"),
    )
    assert (again.stored, again.sequence) == (False, 1)
