"""Models as the bytes that are stored, and the proof that the same models come back from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..codec import encode_json, encode_plain, is_plain
from ..errors import InvalidEvent
from .base import NO_JSON, PLAIN, Fact

M = TypeVar("M", bound=BaseModel)


def encoded_model(model: BaseModel) -> bytes:
    """Return the stored bytes of a model; raise InvalidEvent if another one would come back.

    The model is validated again, from these bytes: `model_construct`, `model_copy` and containers
    that were changed later get past the first validation, and what JSON does not have (NaN, sets,
    keys that are not text) is turned into something else by serialization, without a word.
    """
    return _proved(model, _dumped(model))


def encoded_mapping(model: type[BaseModel], data: Mapping[str, Any]) -> bytes:
    """Return the stored bytes of what a model makes of a mapping; raise InvalidEvent."""
    given = dict(data)
    plain = is_plain(given)
    # A walk through the values is a fifth of an append's cost: here is the only one.
    made = validated(model.model_validate, given, context=PLAIN if plain else None)
    dumped = _dumped(made)
    if plain and dumped == given:
        # It is JSON already, to the value, so there is nothing that a second look could find.
        return encode_plain(dumped, "payload")
    return _proved(made, dumped)


def validated(validate: Callable[..., M], data: Any, **options: Any) -> M:
    """Return the model that `validate` makes of `data`; InvalidEvent names the field it refuses."""
    try:
        return validate(data, **options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(("payload", *(str(part) for part in first["loc"])))
        context = first.get("ctx", {})
        if first["type"] == NO_JSON:
            raise InvalidEvent(f"{place}{context['inside']}", context["reason"]) from error
        # A validator's own words, without pydantic's "Value error, " in front of them.
        said = str(context.get("error", "")) or first["msg"]
        raise InvalidEvent(place, said) from error


def _proved(model: BaseModel, dumped: dict[str, Any]) -> bytes:
    stored = encode_json(dumped, "payload")
    again = validated(type(model).model_validate_json, stored)
    # Private attributes and the choice between alike members of a union make models differ that
    # say the same, so what they say decides. Equality is asked first: it is nearly always enough.
    if again != model:
        place = _difference(_said(model), _said(again), "payload")
        if place is not None:
            raise InvalidEvent(place, "would come back from the log as another value")
    return stored


def _dumped(model: BaseModel) -> dict[str, Any]:
    # Unset fields of a Fact stay out: in a patch "absent" means keep and null means clear. Of any
    # other model they are stored, for their defaults may be different next time: ids, times.
    try:
        return model.model_dump(
            mode="json",
            by_alias=True,
            exclude_unset=isinstance(model, Fact),
            round_trip=True,
            warnings=False,
            fallback=_mapping,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(_failing(model), f"has no JSON form: {error}") from error


def _said(model: BaseModel) -> dict[str, Any]:
    # serialize_as_any: fields that a subclass adds are left out of what is stored.
    try:
        return model.model_dump(
            by_alias=True,
            round_trip=True,
            warnings=False,
            fallback=_mapping,
            serialize_as_any=True,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("payload", f"cannot be compared with its JSON form: {error}") from error


def _mapping(value: Any) -> dict[Any, Any]:
    """Return a mapping that is no dict as one; pydantic knows dicts alone."""
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{type(value).__name__} has no JSON form")


def _failing(model: BaseModel) -> str:
    for name in type(model).model_fields:
        try:
            model.model_dump(mode="json", include={name}, warnings=False, fallback=_mapping)
        except (ValueError, RecursionError):
            return f"payload.{name}"
    return "payload"


def _difference(one: Any, other: Any, place: str) -> str | None:
    """Return the first place in which two values differ; lists and tuples are the same thing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return place
        found = (_difference(value, other[key], f"{place}.{key}") for key, value in one.items())
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return place
        pairs = enumerate(zip(one, other, strict=True))
        found = (_difference(*pair, f"{place}[{number}]") for number, pair in pairs)
    else:
        both_nan = one != one and other != other  # some models store NaN as text
        return None if one == other or both_nan else place
    return next((inside for inside in found if inside is not None), None)
