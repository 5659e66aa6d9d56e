"""What a ledger may be opened with: every option is checked before a backend is even chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .errors import InvalidArgument
from .limits import (
    BUCKETS_MAX,
    LANES_MAX,
    LOCK_SLICE_S,
    POOL_SIZE_MAX,
    SCHEMA_BYTES_MAX,
    STORED_BYTES_MAX,
    TIMEOUT_SECONDS_MAX,
    Limits,
)
from .refusals import shown
from .upcasts import Upcasts

if TYPE_CHECKING:
    from .catalogue import Catalogue


class OpenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a ledger is opened; see `Ledger.open` for the meaning of each.

    Raises InvalidArgument, naming the option, whatever the backend will be: a URL that is changed
    later must not bring an old mistake to light.
    """

    buckets: int | None = None
    schema: str = "ledger"
    limits: Limits | None = None
    retry_timeout_s: float = 30.0
    lock_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    pool_size: int = 8
    lanes: int = 2
    catalogue: Catalogue | None = None
    upcasts: Upcasts | None = None
    create: bool = True

    def __post_init__(self) -> None:
        if self.buckets is not None:
            check_count("buckets", self.buckets, BUCKETS_MAX)
        _check_schema(self.schema)
        _check_limits(self.limits)
        _check_seconds("retry_timeout_s", self.retry_timeout_s)
        _check_seconds("lock_timeout_s", self.lock_timeout_s)
        _check_seconds("connect_timeout_s", self.connect_timeout_s)
        if not self.connect_timeout_s:
            raise InvalidArgument("connect_timeout_s", "nothing can be reached in 0 seconds")
        check_count("pool_size", self.pool_size, POOL_SIZE_MAX)
        check_count("lanes", self.lanes, LANES_MAX)
        _check_catalogue(self.catalogue)
        if self.upcasts is not None and not isinstance(self.upcasts, Upcasts):
            raise InvalidArgument("upcasts", f"expected Upcasts, got {shown(self.upcasts)}")
        if type(self.create) is not bool:
            raise InvalidArgument("create", f"expected True or False, got {shown(self.create)}")

    @property
    def lock_slice_s(self) -> float:
        """How long one try of an append waits for a lock, of all the time that it has."""
        return min(self.lock_timeout_s, LOCK_SLICE_S)


def check_count(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidArgument(name, f"expected an int from 1 to {most}, got {shown(value)}")


def _check_seconds(name: str, value: object) -> None:
    # NaN is between nothing; True is an int to isinstance, and to nobody else.
    if type(value) not in (int, float) or not 0 <= value <= TIMEOUT_SECONDS_MAX:  # type: ignore[operator]  # it is a number here
        bounds = f"0 to {TIMEOUT_SECONDS_MAX:g} seconds"
        raise InvalidArgument(name, f"expected {bounds}, got {shown(value)}")


def _check_schema(value: object) -> None:
    if not isinstance(value, str):
        raise InvalidArgument("schema", f"expected text, got {shown(value)}")
    # A lone surrogate has no bytes of its own; it is refused below, like NUL.
    size = len(value.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= SCHEMA_BYTES_MAX or any(
        c == "\0" or "\ud800" <= c <= "\udfff" for c in value
    ):
        bounds = f"1 to {SCHEMA_BYTES_MAX} bytes of UTF-8 without NUL"
        raise InvalidArgument("schema", f"expected {bounds}, got {shown(value)}")


def _check_limits(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, Limits):
        raise InvalidArgument("limits", f"expected Limits, got {shown(value)}")
    for name in Limits.__struct_fields__:
        check_count(f"limits.{name}", getattr(value, name), STORED_BYTES_MAX)


def _check_catalogue(value: object) -> None:
    if value is None:
        return
    from .catalogue import Catalogue  # here, because pydantic takes longer than all the rest

    if not isinstance(value, Catalogue):
        raise InvalidArgument("catalogue", f"expected a Catalogue, got {shown(value)}")
