"""Options out of range: refused by name, before anything is opened or made."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidArgument, Limits, Upcasts
from ledger.catalogue import Catalogue, default_catalogue
from ledger.limits import BUCKETS_MAX, LANES_MAX, POOL_SIZE_MAX, TIMEOUT_SECONDS_MAX
from tests.support.awkward import Awkward
from tests.support.builders import note

pytestmark = pytest.mark.usefixtures("new_database")

Open = Callable[..., Any]
NAN, INFINITY = float("nan"), float("inf")
NO_COUNTS = (0, -1, "8", True, 1.5, 2**63, 10**5_000, [])
NO_SECONDS = (-5, -0.001, NAN, INFINITY, "1", True, 86_401, 10**400, 10**5_000, 1j)

# option → values that it cannot have
REFUSED: dict[str, tuple[Any, ...]] = {
    "buckets": (*NO_COUNTS, BUCKETS_MAX + 1),
    "lanes": (*NO_COUNTS, None, LANES_MAX + 1),
    "pool_size": (*NO_COUNTS, None, POOL_SIZE_MAX + 1),
    "lock_timeout_s": (*NO_SECONDS, None),
    "retry_timeout_s": (*NO_SECONDS, None),
    "connect_timeout_s": (*NO_SECONDS, None, 0),
    "schema": (5, None, b"x", "", "a\0b", "\ud800", "x" * 64, "ü" * 32),
    "limits": (5, {}, Limits, "x", Awkward()),
    "catalogue": (5, {}, "", "x", Catalogue, default_catalogue, Awkward()),
    "create": (None, 0, 1, "no", Awkward()),
    "upcasts": (5, {}, "", "x", Upcasts, Awkward()),
}
LIMITS = tuple(Limits.__struct_fields__)


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_out_of_range_is_refused_by_its_name(
    open_ledger: Open, tmp_path: Path, option: str
) -> None:
    for value in REFUSED[option]:
        with pytest.raises(InvalidArgument) as caught:
            open_ledger(**{option: value})
        assert caught.value.argument == option
    assert list(tmp_path.iterdir()) == []


def test_a_limit_out_of_range_is_refused_by_its_name(open_ledger: Open, tmp_path: Path) -> None:
    for field, value in product(LIMITS, (0, -1, True, "5", 1.5, 2**63)):
        with pytest.raises(InvalidArgument) as caught:
            open_ledger(limits=Limits(**{field: value}))
        assert caught.value.argument == f"limits.{field}"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_refused(open_ledger: Open) -> None:
    with pytest.raises(TypeError, match="bucket_count"):
        open_ledger(bucket_count=8)


def test_options_at_their_bounds_are_accepted(open_ledger: Open) -> None:
    options = {
        "lanes": LANES_MAX,
        "pool_size": 1,
        "lock_timeout_s": TIMEOUT_SECONDS_MAX,
        "retry_timeout_s": 0,
        "connect_timeout_s": 20,
        "schema": "x" * 63,
        "limits": Limits(payload_bytes_max=1_000, batch_events_max=1, batch_bytes_max=1_000),
        "catalogue": Catalogue(),
        "upcasts": Upcasts(),
    }
    assert open_ledger(**options).append("s", note()).sequence == 1
