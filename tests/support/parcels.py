"""A view that nobody has foreseen, to see how little it takes: all of it is this file."""

from datetime import datetime

import msgspec

from ledger import Event
from projections import Projection


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    session_id: str
    parcel_id: str
    place: str
    notes: str = ""
    stops: list[str] = []
    created_at: datetime


def apply(parcel: Parcel | None, event: Event) -> Parcel:
    """Move the parcel, or make it."""
    if parcel is not None:
        return msgspec.structs.replace(parcel, **event.data)
    made = {"created_at": event.occurred_at, "tenant": event.tenant, "session_id": event.session_id}
    return msgspec.convert(made | event.data, Parcel)


PARCELS = Projection(
    name="parcels",
    version=1,
    view=Parcel,
    key=("tenant", "session_id", "parcel_id"),
    keys=lambda event: [(event.tenant, event.session_id, event.data["parcel_id"])],
    apply=apply,
    types=frozenset({"parcel.scanned"}),
    indexes=(("tenant", "place"),),
    searchable=("notes",),
)
