"""Times of many events made at once are those of each event by itself, to the microsecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import IntegrityError, moments
from ledger.moments import EPOCH, from_microseconds, remember, to_microseconds
from tests.properties.profile import examples

_FIRST, _LAST = (
    to_microseconds(moment.replace(tzinfo=UTC)) for moment in (datetime.min, datetime.max)
)
#: Where a float of seconds stops telling one microsecond from the next.
_EDGE = 2**33 * 1_000_000
_NEAR = st.integers(-3, 3)
_MICROSECONDS = st.one_of(
    st.integers(_FIRST, _LAST),
    st.integers(-_EDGE, _EDGE),
    st.builds(lambda edge, near: edge + near, st.sampled_from([-_EDGE, 0, _EDGE]), _NEAR),
    # Next to whole seconds.
    st.builds(lambda second, part: second * 1_000_000 + part, st.integers(0, 2**33 - 1), _NEAR),
)


def exact(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


@examples(300)
@given(st.lists(_MICROSECONDS, min_size=14, max_size=40), _MICROSECONDS)
def test_what_is_remembered_is_what_each_is_by_itself(all_us: list[int], other: int) -> None:
    remember(all_us)
    for microseconds in (*all_us, other):
        moment = from_microseconds(microseconds)
        assert (moment, moment.tzinfo) == (exact(microseconds), UTC)
        assert to_microseconds(moment) == microseconds


def test_every_microsecond_of_the_last_seconds_that_are_remembered_is_told_apart() -> None:
    for first in range(_EDGE - 200_000, _EDGE, 8_000):
        all_us = range(first, first + 8_000)
        remember(all_us)
        assert moments._moments.keys() >= {*all_us}
        assert [from_microseconds(one) for one in all_us] == [exact(one) for one in all_us]


def test_pages_are_forgotten_before_they_fill_the_memory() -> None:
    for size in (3_000, 8_000):
        for page in range(20):
            remember(range(page * size, page * size + size))
            assert size <= len(moments._moments) <= moments._REMEMBERED_MAX
    remember(range(moments._REMEMBERED_MAX + 1))
    assert len(moments._moments) <= moments._REMEMBERED_MAX


def test_a_time_that_no_datetime_can_have_is_refused() -> None:
    remember([0, _LAST + 1])
    with pytest.raises(IntegrityError, match=str(_LAST + 1)):
        from_microseconds(_LAST + 1)
