"""Other upcasters make other rows of the same events, and that is reported as a changed fold is."""

import warnings
from typing import Any

import msgspec
import pytest

from ledger import Upcasts
from projections import FoldChanged, Rebuild
from projections.engine.tables import Table
from tests.support.blocking import Blocking
from tests.support.builders import on_durable
from tests.support.rebuilds import V1, record_of, sync_twin
from tests.support.views import counted, tally, tally_apply, views_of


def as_y(payload: dict[str, Any]) -> dict[str, Any]:
    """An upcaster that calls everything y."""
    return {**payload, "name": "y"}


def called(name: str) -> Any:
    """An upcaster that calls everything by one name."""
    return lambda payload: {**payload, "name": name}


def reported(ledger: Any, *projections: Any) -> list[str]:
    """Return what new views of a ledger are warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FoldChanged)
        views_of(ledger, *projections).catch_up()
    return [str(one.message) for one in caught if issubclass(one.category, FoldChanged)]


def of_one_fold_later(apply: Any) -> Any:
    return tally(apply=lambda view, event: apply(view, event))


def test_an_upcaster_of_what_a_view_folds_is_reported_until_it_is_rebuilt_or_accepted(
    ledger: Any, url: str
) -> None:
    everything = msgspec.structs.replace(tally("all"), types=None)
    ledger.append("s", counted("x"))
    assert reported(ledger, V1, everything) == []

    ledger.upcasts.register("thing.else", from_version=1, upcaster=as_y)
    [message] = reported(ledger, V1, everything)  # the one that declares no types
    assert message.startswith(
        "The upcasters of the events that projection all folds changed, its version 1 did not:"
    )
    ledger.upcasts.register("thing.counted", from_version=1, upcaster=as_y)
    [_, message] = reported(ledger, everything, V1)
    assert "projection tally" in message
    views = views_of(ledger, V1)
    with pytest.warns(FoldChanged):
        found = record_of(views, 1)
    assert (found.changed, found.fold_changed, found.upcasters_changed) == (True, False, True)
    assert found.stored_digest == found.code_digest
    assert found.stored_upcasters == ""
    assert len(found.code_upcasters) == 64
    assert views.status(lag_seconds_max=None).views[-1].changed

    [message] = reported(ledger, of_one_fold_later(tally_apply))
    assert message.startswith(
        "The fold of projection tally, and the upcasters of the events that it folds, changed,"
    )
    second = tally(version=2)
    with sync_twin(ledger, url) as here:
        if here is not ledger:
            here.upcasts.register("thing.counted", from_version=1, upcaster=as_y)
        assert Rebuild(here, second).run().built
    assert reported(ledger, second) == []
    views.accept("tally", 1)
    assert reported(ledger, V1, second) == []
    assert not record_of(views, 1).changed


@on_durable
def test_an_upcaster_that_was_changed_or_is_missing_is_reported(open_ledger: Any) -> None:
    def with_upcaster(upcaster: Any) -> Any:
        upcasts = Upcasts()
        upcasts.register("thing.counted", from_version=1, upcaster=upcaster)
        return open_ledger(upcasts=upcasts)

    first, same, other, none = (
        with_upcaster(called("y")),
        with_upcaster(called("y")),
        with_upcaster(called("z")),
        open_ledger(),
    )
    first.append("s", counted("x"))
    for ledger, count in ((first, 0), (same, 0), (other, 1), (none, 1)):
        assert len(reported(ledger, V1)) == count


def test_tables_of_before_upcasters_were_noted_are_reported_only_for_their_fold(
    ledger: Any,
) -> None:
    ledger.append("s", counted("x"))
    views = views_of(ledger, V1)
    views.catch_up()
    # As it was kept then: a table that was told nothing of upcasters.
    if isinstance(views, Blocking):
        Blocking(views._target._reader._views, views._loop).accept(Table(V1))
    else:
        views._reader._views.accept(Table(V1))
    ledger.upcasts.register("thing.counted", from_version=1, upcaster=as_y)
    assert reported(ledger, V1) == []
    assert record_of(views, 1).stored_upcasters is None
    [message] = reported(ledger, of_one_fold_later(tally_apply))
    assert message.startswith("The fold of projection tally changed, its version 1 did not:")
    views.accept("tally", 1)
    assert len(record_of(views, 1).stored_upcasters) == 64
