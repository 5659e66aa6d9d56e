"""Waits between tries."""

from ledger.pauses import Pauses


def test_pauses_double_up_to_the_longest_and_begin_again() -> None:
    pauses = Pauses(0.5, 3.0)
    assert [pauses.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    pauses.reset()
    assert [pauses.next_s() for _ in range(2)] == [0.5, 1.0]
