"""What every payload model shares: strictness, ids, moments, JSON values, and its type name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Unpack

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from ..codec import check_json, check_text
from ..errors import InvalidEvent
from ..limits import ID_BYTES_MAX, SESSION_ID_BYTES_MAX

# Views add these numbers up in signed 64 bits: the bounds leave room for 9 million facts at the
# maximum of a count and 92,000 at the maximum of a cost.
COUNT_MAX = 10**12
COST_USD_MAX = 100_000.0
# 285,000 years: views keep microseconds in signed 64 bits. No less, for logs that hold odd numbers,
# such as a clock's, are imported by the same rule, and views could always keep these.
MILLISECONDS_MAX = 9 * 10**15

#: The context of a validation of what is known to consist of plain JSON values; its text is looked
#: at when it is encoded. An empty mapping, for the validators of other people's models look into it.
PLAIN: Mapping[str, Any] = MappingProxyType({})

#: What pydantic calls the refusal of a value that JSON does not have.
NO_JSON: Final = "no_json"


class Part(BaseModel):
    """A value nested in a payload; unknown fields and silent conversions are refused."""

    # defer_build: a process uses a handful of the facts, and building them all costs more than
    # everything else in `import ledger`.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class Fact(Part):
    """A payload: what happened. Who, when and in which run is the envelope's to say.

    Subclass it as `class OrderPaid(Fact, type="order.paid", version=1)`. Only fields that were set
    are stored, so absent, null and a value are three different statements.
    """

    event_type: ClassVar[str]
    schema_version: ClassVar[int]

    def __init_subclass__(cls, *, type: str, version: int, **config: Unpack[ConfigDict]) -> None:
        super().__init_subclass__(**config)
        cls.event_type = type
        cls.schema_version = version


def _bounded(value: str, bytes_max: int) -> str:
    try:
        return check_text(value, "id", bytes_max)
    except InvalidEvent as error:
        raise ValueError(error.reason) from error


def _id(value: str) -> str:
    return _bounded(value, ID_BYTES_MAX)


def _session_id(value: str) -> str:
    return _bounded(value, SESSION_ID_BYTES_MAX)


def _moment(value: object) -> object:
    # pydantic alone would also read numbers, and digits in text, as seconds since 1970.
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999 in UTC") from error


def _json(value: Any, info: ValidationInfo) -> Any:
    # Without this, serialization turns NaN into null and the key 1 into "1", and says nothing.
    if info.context is PLAIN:
        return value
    try:
        return check_json(value, "")
    except InvalidEvent as error:
        told = {"inside": error.field, "reason": error.reason}
        said = "{inside}: {reason}" if error.field else "{reason}"
        raise PydanticCustomError(NO_JSON, said, told) from error


Id = Annotated[str, AfterValidator(_id)]
"""An opaque id or name: not blank, at most 512 bytes of UTF-8."""

SessionId = Annotated[str, AfterValidator(_session_id)]
"""The id of a session of the same tenant: not blank, at most 1,024 bytes of UTF-8."""

Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_utc)]
"""A datetime with an offset, or its ISO 8601 text; kept in UTC."""

Json = Annotated[Any, AfterValidator(_json)]
"""Any JSON value."""

JsonObject = Annotated[dict[str, Any], AfterValidator(_json)]
"""A JSON object with any content."""

Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
# Signed 64 bits, because views keep it in a column.
Sequence = Annotated[int, Field(ge=1, le=2**63 - 1)]
Milliseconds = Annotated[float, Field(ge=0, le=MILLISECONDS_MAX)]
CostUsd = Annotated[float, Field(ge=0, le=COST_USD_MAX)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[int, Field(ge=1, le=5)]
