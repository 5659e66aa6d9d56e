"""The registry: which model stands behind which event type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import BaseModel

from ..codec import check_text
from ..errors import InvalidArgument, InvalidEvent
from ..limits import SCHEMA_VERSION_MAX, TYPE_BYTES_MAX
from ..refusals import shown
from .base import Fact
from .stored import encoded_mapping, encoded_model, validated

Model = type[BaseModel]


class Catalogue:
    """Payload models by event type; one model per type and one type per model.

    Types that nobody registered are stored and read all the same, only unchecked.
    """

    def __init__(self) -> None:
        self._models: dict[str, tuple[Model, int]] = {}
        self._names: dict[Model, tuple[str, int]] = {}

    def register(self, model: Model, type: str | None = None, version: int | None = None) -> None:
        """Add a model, repeating is harmless; a Fact brings its type and version along.

        Any other pydantic model needs a `type`; its `version` is 1 unless given. Raises
        InvalidArgument if the type has another model, or the model another type or version.
        """
        name, number = _identity(model, type, version)
        known = self._models.get(name)
        if known is not None and known != (model, number):
            raise InvalidArgument("type", f"{name!r} is {_full_name(known[0])}, version {known[1]}")
        earlier = self._names.get(model)
        if earlier is not None and earlier != (name, number):
            raise InvalidArgument(
                "model", f"{_full_name(model)} is {earlier[0]!r}, version {earlier[1]}"
            )
        self._models[name] = model, number
        self._names[model] = name, number

    def model_of(self, type: str) -> tuple[Model, int] | None:
        """Return the model of an event type and its version."""
        return self._models.get(type)

    def describe(self, model: BaseModel | Model) -> tuple[str, int]:
        """Return event type and version of a registered model, or of an instance of one."""
        cls = model if isinstance(model, type) else type(model)
        found = self._names.get(cls)
        if found is None:
            name = cls.__name__ if issubclass(cls, Fact) else f"{cls.__name__}, type='…'"
            raise InvalidArgument(
                "payload",
                f"{_full_name(cls)} is not registered in the catalogue; register it:"
                f" catalogue.register({name}) and Ledger.open(…, catalogue=catalogue)",
            )
        return found

    def encode(self, model: BaseModel) -> bytes:
        """Return the stored bytes of a model; InvalidEvent if it would not come back from them."""
        return encoded_model(model)

    def encode_mapping(self, model: Model, data: Mapping[str, Any]) -> bytes:
        """Return the stored bytes of the model that a mapping describes; raise InvalidEvent."""
        return encoded_mapping(model, data)

    def check(self, model: Model, stored: bytes) -> None:
        """Raise InvalidEvent unless stored bytes are a payload of this model."""
        validated(model.model_validate_json, stored)

    def types(self) -> list[str]:
        """Return all registered event types, sorted."""
        return sorted(self._models)

    def copy(self) -> Self:
        """Return a catalogue of its own: what is registered in one is unknown to the other."""
        twin = self.__class__()
        twin._models.update(self._models)
        twin._names.update(self._names)
        return twin


@cache
def default_catalogue() -> Catalogue:
    """Return the catalogue of all built-in facts: one object for the process, see `copy`."""
    from . import FACTS

    catalogue = Catalogue()
    for fact in FACTS:
        catalogue.register(fact)
    return catalogue


def _identity(model: Model, type_name: str | None, version: int | None) -> tuple[str, int]:
    if not _is_model(model):
        raise InvalidArgument("model", f"expected a pydantic model class, got {shown(model)}")
    own_name = own_version = None
    if issubclass(model, Fact):
        if not hasattr(model, "event_type"):
            raise InvalidArgument("model", "Fact itself is not a fact")
        own_name, own_version = model.event_type, model.schema_version
    for argument, given, own in (("type", type_name, own_name), ("version", version, own_version)):
        if None not in (given, own) and given != own:
            raise InvalidArgument(argument, f"{_full_name(model)} says {own!r}, got {given!r}")
    name = own_name if type_name is None else type_name
    if name is None:
        raise InvalidArgument("type", f"{_full_name(model)} is no Fact and needs one")
    try:
        check_text(name, "type", TYPE_BYTES_MAX)
    except InvalidEvent as error:
        raise InvalidArgument("type", error.reason) from error
    number = next((n for n in (version, own_version) if n is not None), 1)
    if type(number) is not int or not 1 <= number <= SCHEMA_VERSION_MAX:
        raise InvalidArgument("version", f"expected 1 to {SCHEMA_VERSION_MAX}, got {shown(number)}")
    return name, number


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _full_name(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"
