"""Cursors: every place has a token, and whatever is no token of this ledger is refused."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import InvalidCursor
from ledger.cursor import TOKEN_CHARS_MAX, Cursor, decode, encode, open_token, seal_token
from ledger.limits import BUCKETS_MAX
from ledger.pages import decode_place, encode_place
from tests.properties.profile import SEED, examples

OURS, THEIRS = "ledger one", "ledger two"
BUCKETS = 3

positions = st.integers(0, 2**63 - 1) | st.integers(0, 300)
places = st.builds(Cursor, st.tuples(*[positions] * BUCKETS), st.integers(0, BUCKETS - 1))
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
session_places = st.tuples(st.integers(0, BUCKETS - 1), ids)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, None if it refuses the token; any other error is a failure."""
    try:
        return call()
    except InvalidCursor:
        return None


def read_feed(token: Any) -> Any:
    return outcome(lambda: decode(token, OURS, BUCKETS))


def read_list(token: Any) -> Any:
    return outcome(lambda: decode_place(token, OURS, BUCKETS))


@seed(SEED)
@examples(300)
@given(places)
def test_a_place_in_the_log_comes_back_from_its_token(place: Cursor) -> None:
    token = encode(place, OURS)
    assert read_feed(token) == place
    assert token.isascii()


@seed(SEED)
@examples(300)
@given(session_places)
def test_a_place_in_a_list_comes_back_from_its_token(place: tuple[int, str]) -> None:
    assert read_list(encode_place(place, OURS)) == place


@seed(SEED)
@examples(200)
@given(places, session_places)
def test_tokens_are_good_for_one_ledger_and_one_purpose(
    place: Cursor, in_list: tuple[int, str]
) -> None:
    assert read_feed(encode(place, THEIRS)) is None
    assert read_list(encode_place(in_list, THEIRS)) is None
    assert read_feed(encode_place(in_list, OURS)) is None
    assert read_list(encode(place, OURS)) is None
    assert outcome(lambda: decode(encode(place, OURS), OURS, BUCKETS + 1)) is None


@seed(SEED)
@examples(500)
@given(places, st.data())
def test_an_edited_token_is_refused(place: Cursor, data: st.DataObject) -> None:
    token = encode(place, OURS)
    where = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "cut"]))
    edited = {
        "replace": token[:where] + letter + token[where + 1 :],
        "insert": token[:where] + letter + token[where:],
        "delete": token[:where] + token[where + 1 :],
        "cut": token[:where],
    }[kind]
    # A letter that base64 ignores, or bits that it does not use, leave the same token.
    assert read_feed(edited) in (None, place)


@seed(SEED)
@examples(500)
@given(st.text() | st.binary() | st.integers() | st.text("ABCDEFabcdef0123456789-_=", max_size=60))
def test_garbage_is_refused(garbage: Any) -> None:
    assert (read_feed(garbage), read_list(garbage)) == (None, None)


@seed(SEED)
@examples(500)
@given(st.binary(max_size=30), st.sampled_from([b"", b"f", b"s"]))
def test_a_forged_body_is_a_place_or_refused(body: bytes, kind: bytes) -> None:
    token = seal_token(kind + body, OURS)
    if kind + body:
        assert open_token(token, OURS) == kind + body
    feed, listing = read_feed(token), read_list(token)
    assert feed is None or (len(feed.positions) == BUCKETS and feed.next_bucket < BUCKETS)
    assert listing is None or (listing[0] < BUCKETS and "\0" not in listing[1])


def test_no_session_has_an_id_with_nul() -> None:
    assert read_list(seal_token(b"s\0\0a\0", OURS)) is None


def test_a_token_longer_than_any_is_refused_before_it_is_decoded() -> None:
    longest = encode(Cursor((2**63 - 1,) * BUCKETS_MAX, BUCKETS_MAX - 1), OURS)
    assert decode(longest, OURS, BUCKETS_MAX).positions[0] == 2**63 - 1
    assert len(longest) <= TOKEN_CHARS_MAX
    for body in (b"f" + b"\xff" * 2_000_000, b"f" + b"\x80" * 20_000 + b"\x01"):
        assert read_feed(seal_token(body, OURS)) is None
    forged = b"f\x00" + b"\xff" * 9 + b"\x7f" + b"\x00" * 2
    assert read_feed(seal_token(forged, OURS)) is None
