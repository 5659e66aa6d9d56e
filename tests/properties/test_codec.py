"""Payloads as bytes: what goes in comes out, and what cannot go in is refused by name."""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import InvalidEvent
from ledger.codec import check_text, decode_json, encode_json, parse_json_object
from tests.properties.profile import SEED, examples

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)


objects = st.dictionaries(text, st.recursive(leaves, containers, max_leaves=20), max_size=5)
strange = st.sampled_from(
    [
        math.nan,
        math.inf,
        -math.inf,
        2**64,
        -(2**63) - 1,
        10**100,
        "\0",
        "a\ud800",
        b"bytes",
        Decimal(1),
        {1, 2},
        {1: 2},
        {None: 1},
        {("a",): 1},
        {"\udfff": 1},
        object(),
        object,
        len,
        1j,
        range(3),
    ]
)


def same(one: Any, other: Any) -> bool:
    """Equality that tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one.hex() == other.hex()
    return bool(one == other)


@seed(SEED)
@examples(300)
@given(objects)
def test_what_is_encoded_is_decoded_again(value: dict[str, Any]) -> None:
    stored = encode_json(value, "payload")
    assert same(decode_json(stored), value)
    assert encode_json(decode_json(stored), "payload") == stored


@seed(SEED)
@examples(200)
@given(objects)
def test_every_other_json_reader_reads_the_same(value: dict[str, Any]) -> None:
    stored = encode_json(value, "payload")
    assert same(json.loads(stored), value)
    assert same(parse_json_object(stored, "payload"), value)


@seed(SEED)
@examples(200)
@given(objects, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show(value: dict[str, Any], random: Any) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            keys = list(item)
            random.shuffle(keys)
            return {key: shuffled(item[key]) for key in keys}
        return [shuffled(one) for one in item] if isinstance(item, list) else item

    assert encode_json(shuffled(value), "payload") == encode_json(value, "payload")


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects that hold one thing of `inner` among good ones."""
    in_list = st.builds(lambda good, bad: [*good, bad], st.lists(leaves, max_size=2), inner)
    good = st.dictionaries(text, leaves, max_size=2)
    return in_list | st.builds(lambda good, key, bad: good | {key: bad}, good, text, inner)


@seed(SEED)
@examples(300)
@given(st.recursive(strange, wrapped, max_leaves=4))
def test_what_is_not_json_is_refused_by_its_place(value: Any) -> None:
    refused = outcome(lambda: encode_json({"a": [1, {"b": value}]}, "payload"))
    assert refused is not None
    assert refused.startswith("payload.a[1].b")


def outcome(call: Callable[[], Any]) -> str | None:
    """The field that is refused, None if none is; any other error is a failure."""
    try:
        call()
    except InvalidEvent as error:
        return error.field
    return None


@seed(SEED)
@examples(300)
@given(
    st.binary(max_size=40)
    | text.map(str.encode)
    | st.text(max_size=30).map(json.dumps).map(str.encode)
)
def test_bytes_of_a_stranger_are_an_object_or_refused(data: bytes) -> None:
    if outcome(lambda: parse_json_object(data, "payload")) is None:
        assert isinstance(json.loads(data), dict)


@seed(SEED)
@examples(300)
@given(st.text(max_size=600) | st.none() | st.integers() | st.binary())
def test_text_is_stored_or_refused(value: Any) -> None:
    if outcome(lambda: check_text(value, "id", 512)) is None:
        assert value.strip()
        assert len(value.encode()) <= 512
        assert "\0" not in value
