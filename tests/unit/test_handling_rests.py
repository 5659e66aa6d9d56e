"""How long a handler is left alone at an event that failed. No clock of its own."""

from projections.engine.handling.rests import RETRY_FIRST_S, RETRY_LONGEST_S, Rests


def pause_s(rests: Rests, position: int) -> float:
    """Note a failure at the time 0 and return for how long it is left alone."""
    rests.failed("n", 0, position, 0.0, retried=True)
    return next(s / 8 for s in range(1_000) if not rests.holds("n", 0, position, s / 8))


def test_the_same_event_is_tried_after_ever_longer_pauses() -> None:
    rests = Rests()
    found = [pause_s(rests, 7) for _ in range(9)]
    assert found == [min(RETRY_FIRST_S * 2**n, RETRY_LONGEST_S) for n in range(9)]
    assert pause_s(rests, 8) == RETRY_FIRST_S


def test_only_where_it_stands_is_a_handler_left_alone() -> None:
    rests = Rests()
    rests.failed("n", 3, 7, 0.0, retried=False)
    assert rests.holds("n", 3, 7, 1e9)
    # Somebody passed the event, in this or another process.
    assert not rests.holds("n", 3, 8, 0.0)
    assert not rests.holds("n", 2, 7, 0.0)
    assert not rests.holds("other", 3, 7, 0.0)
    rests.clear()
    assert not rests.holds("n", 3, 7, 0.0)
