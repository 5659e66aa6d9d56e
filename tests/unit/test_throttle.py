"""The token bucket: a rate on the average, and no burst after a long pause."""

import pytest

from projections.engine.throttle import TokenBucket


def test_what_is_taken_is_waited_for_at_the_rate() -> None:
    bucket = TokenBucket(100, now_s=5.0)
    assert bucket.take(50, now_s=5.0) == pytest.approx(0.5)
    assert bucket.take(10, now_s=5.5) == pytest.approx(0.1)


def test_waiting_too_short_is_made_up_for() -> None:
    bucket = TokenBucket(100, now_s=0.0)
    assert bucket.take(100, now_s=0.0) == pytest.approx(1.0)
    assert bucket.take(100, now_s=0.25) == pytest.approx(1.75)


def test_work_slower_than_the_rate_never_waits() -> None:
    bucket = TokenBucket(100, now_s=0.0)
    assert [bucket.take(10, now_s=float(second)) for second in range(1, 5)] == [0.0] * 4


def test_a_pause_is_made_up_for_by_one_second_at_most() -> None:
    bucket = TokenBucket(100, now_s=0.0)
    assert bucket.take(150, now_s=1_000.0) == pytest.approx(0.5)


def test_over_a_long_time_the_rate_is_kept() -> None:
    bucket, now_s = TokenBucket(1_000, now_s=0.0), 0.0
    for events in [1, 999, 250, 3] * 50:
        now_s += bucket.take(events, now_s)
    assert now_s == pytest.approx((1 + 999 + 250 + 3) * 50 / 1_000)
