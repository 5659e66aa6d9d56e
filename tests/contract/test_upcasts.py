"""Upcasters: old payloads leave the log in their newest shape and stay in it as they were.

Every file in golden/ is a payload as some release stored it, and what readers get today.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import EventIdReused, InvalidArgument, NewEvent, UpcastFailed, Upcasts
from tests.support.builders import on_durable, on_memory, take, whole_feed

Open = Callable[..., Any]
GOLDEN = sorted(Path(__file__).parent.glob("golden/*.json"))


def with_cents(payload: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in payload.items() if name != "euros"}
    return rest | {"cents": int(float(payload["euros"]) * 100), "currency": "EUR"}


def with_order(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"order": {"id": payload["order"]}}


def with_grams(payload: dict[str, Any]) -> dict[str, Any]:
    parcels = [{"grams": int(parcel["weight"] * 1_000)} for parcel in payload["parcels"]]
    return payload | {"parcels": parcels}


@pytest.fixture
def upcasts() -> Upcasts:
    """The steps of two types."""
    steps = Upcasts()
    steps.register("order.paid", from_version=1, upcaster=with_cents)
    steps.register("order.paid", from_version=2, upcaster=with_order)
    steps.register("order.shipped", from_version=1, upcaster=with_grams)
    return steps


def old(stored: dict[str, Any], version: int = 1, **header: Any) -> NewEvent:
    return NewEvent(stored, "order.paid", schema_version=version, **header)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_payload_ever_stored_is_read_in_its_newest_shape(
    open_ledger: Open, upcasts: Upcasts, path: Path
) -> None:
    golden = json.loads(path.read_text())
    ledger = open_ledger(upcasts=upcasts)
    event = NewEvent(golden["stored"], golden["type"], "e", schema_version=golden["stored_version"])
    answer = ledger.append("s", event)
    everywhere = [
        answer.event,
        *ledger.read("s"),
        *ledger.read("s", lineage=True),
        ledger.get("s", "e"),
        *whole_feed(ledger),
        *take(ledger.follow(), 1),
        *take(ledger.follow("s"), 1),
    ]
    assert [(event.schema_version, event.data) for event in everywhere] == [
        (golden["newest_version"], golden["newest"])
    ] * 7


@on_durable
def test_what_is_stored_stays_as_it_was(open_ledger: Open, upcasts: Upcasts) -> None:
    ledger = open_ledger(upcasts=upcasts)
    lifted = ledger.append("s", old({"order": "o", "euros": "1"})).event
    (stored,) = open_ledger().read("s")
    assert (stored.schema_version, stored.data) == (1, {"order": "o", "euros": "1"})
    assert stored.event_hash == lifted.event_hash


def test_a_repeat_is_compared_with_what_is_stored(open_ledger: Open, upcasts: Upcasts) -> None:
    ledger = open_ledger(upcasts=upcasts)
    event = old({"order": "o", "euros": "1"}, event_id="e")
    first = ledger.append("s", event)
    assert ledger.append("s", event).event == first.event
    with pytest.raises(EventIdReused):
        ledger.append("s", old(first.event.data, 3, event_id="e"))


def test_other_types_and_bytes_are_left_alone(open_ledger: Open, upcasts: Upcasts) -> None:
    ledger = open_ledger(upcasts=upcasts)
    ledger.append("s", NewEvent({"euros": "1"}, "order.sent"))
    ledger.append("s", NewEvent(b"1", "order.paid", content_type="text/plain"))
    found = [(event.schema_version, event.data) for event in ledger.read("s")]
    assert found == [(1, {"euros": "1"}), (1, b"1")]


def test_a_version_nobody_knows_yet_is_left_alone(open_ledger: Open, upcasts: Upcasts) -> None:
    ledger = open_ledger(upcasts=upcasts)
    ledger.append("s", old({"future": True}, 4))
    assert ledger.read("s")[0].data == {"future": True}


def broken(payload: dict[str, Any]) -> dict[str, Any]:
    return {"cents": payload["amount"] * 100}


def of_odd_words(payload: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("\x1b[2J\n" + "x" * 5_000)


def of_no_dict(payload: dict[str, Any]) -> Any:
    return [*payload]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (broken, "KeyError: 'amount'"),
        (of_no_dict, "TypeError: expected a dict of the next version, got a value of type list"),
    ],
)
def test_an_upcaster_that_fails_is_told_with_its_event(
    open_ledger: Open, step: Any, reason: str
) -> None:
    steps = Upcasts()
    steps.register("order.paid", from_version=1, upcaster=step)
    ledger = open_ledger(upcasts=steps)
    ledger.append("s", NewEvent({"n": 1}, "note"), tenant="t")
    stored = ledger.append("s", old({"price": 1}, event_id="e"), tenant="t")
    with ledger.follow("s", tenant="t") as following:
        assert take(following, 1)[0].sequence == 1
        for call in (
            lambda: ledger.read("s", tenant="t"),
            lambda: ledger.get("s", "e", tenant="t"),
            lambda: whole_feed(ledger),
            lambda: stored.event,
            lambda: take(following, 1),
            lambda: take(following, 1),  # it is not passed over
        ):
            with pytest.raises(UpcastFailed, match="Correct the upcaster") as caught:
                call()
            failed = caught.value
            assert (failed.type, failed.from_version, failed.reason) == ("order.paid", 1, reason)
            assert (failed.tenant, failed.session_id, failed.sequence) == ("t", "s", 2)
            assert (failed.event_id, failed.position > 0) == ("e", True)
            assert reason in str(failed)


@on_memory
def test_what_an_upcaster_says_is_told_in_a_line_that_ends(open_ledger: Open) -> None:
    steps = Upcasts()
    steps.register("order.paid", from_version=1, upcaster=of_odd_words)
    ledger = open_ledger(upcasts=steps)
    ledger.append("s", old({"price": 1}))
    with pytest.raises(UpcastFailed, match=r"ValueError: \\x1b\[2J\\x0axx") as caught:
        ledger.read("s")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2_000


def test_a_step_can_be_registered_once(upcasts: Upcasts) -> None:
    with pytest.raises(InvalidArgument) as caught:
        upcasts.register("order.paid", from_version=2, upcaster=with_order)
    assert caught.value.argument == "from_version"


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("type", {"type": None}),
        ("type", {"type": []}),
        ("type", {"type": ""}),
        ("from_version", {"from_version": 0}),
        ("from_version", {"from_version": "1"}),
        ("from_version", {"from_version": True}),
        ("from_version", {"from_version": 65_535}),
        ("from_version", {"from_version": 10**5_000}),
        ("upcaster", {"upcaster": None}),
    ],
)
def test_what_is_no_step_is_refused(upcasts: Upcasts, argument: str, given: dict[str, Any]) -> None:
    step: dict[str, Any] = {"type": "x", "from_version": 1, "upcaster": with_cents} | given
    with pytest.raises(InvalidArgument) as caught:
        upcasts.register(**step)
    assert caught.value.argument == argument


def test_a_follower_hands_out_the_event_again_whose_upcaster_failed(open_ledger: Open) -> None:
    failing = [True]

    def flaky(payload: dict[str, Any]) -> dict[str, Any]:
        if failing:
            raise RuntimeError("not now")
        return payload

    steps = Upcasts()
    steps.register("flaky", from_version=1, upcaster=flaky)
    ledger = open_ledger(upcasts=steps)
    failing.clear()
    ledger.append("s", [NewEvent({"n": n}, kind) for n, kind in enumerate(("a", "flaky", "b"))])
    failing.append(True)
    follower = ledger.follow()
    assert take(follower, 1)[0].data == {"n": 0}
    cursor = follower.cursor
    for _ in range(2):
        with pytest.raises(UpcastFailed, match="not now"):
            take(follower, 1)
        assert follower.cursor == cursor
    failing.clear()
    assert [event.data["n"] for event in take(follower, 2)] == [1, 2]
