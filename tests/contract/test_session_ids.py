"""Listing the sessions of a tenant, page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidCursor
from tests.support.builders import all_session_ids, note, notes, on_durable


@pytest.fixture
def wide(open_ledger: Callable[..., Any]) -> Any:
    """A ledger of 4 buckets with 25 sessions of tenant t and 5 of tenant u."""
    ledger = open_ledger(buckets=4)
    for number in range(25):
        ledger.append(f"s{number}", notes("ab"), tenant="t")
    for number in range(5):
        ledger.append(f"s{number}", note(), tenant="u")
    return ledger


@pytest.mark.parametrize("limit", [1, 2, 7, 24, 25, 26, 10_000])
def test_pages_of_any_size_give_every_session_once(wide: Any, limit: int) -> None:
    found = all_session_ids(wide, tenant="t", limit=limit)
    assert sorted(found) == sorted(f"s{number}" for number in range(25))
    assert found == all_session_ids(wide, tenant="t")


def test_a_page_is_no_longer_than_asked_for(wide: Any) -> None:
    page = wide.list_session_ids(tenant="t", limit=10)
    assert len(page.session_ids) == 10
    assert page.cursor is not None


def test_the_last_page_has_no_cursor(wide: Any) -> None:
    page = wide.list_session_ids(tenant="u")
    assert (sorted(page.session_ids), page.cursor) == (["s0", "s1", "s2", "s3", "s4"], None)


def test_only_the_tenants_sessions_are_listed(wide: Any) -> None:
    assert len(all_session_ids(wide, tenant="u", limit=2)) == 5
    assert all_session_ids(wide) == all_session_ids(wide, tenant="v") == []


def test_a_page_without_room_leads_to_where_it_was_asked_for(wide: Any) -> None:
    cursor = wide.list_session_ids(tenant="t", limit=10).cursor
    for given in (None, cursor):
        page = wide.list_session_ids(tenant="t", limit=0, cursor=given)
        assert (page.session_ids, page.cursor) == ([], given)
    with pytest.raises(InvalidCursor):
        wide.list_session_ids(tenant="t", limit=0, cursor="garbage")


@pytest.mark.parametrize("limit", [-1, 10_001, None, True])
def test_a_page_size_out_of_bounds_is_refused(ledger: Any, limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.list_session_ids(limit=limit)
    assert caught.value.argument == "limit"


def test_sessions_that_come_while_listing_do_not_disturb(wide: Any) -> None:
    page = wide.list_session_ids(tenant="t", limit=10)
    wide.append("late", note(), tenant="t")
    rest: list[str] = []
    while page.cursor is not None:
        rest += (
            page := wide.list_session_ids(tenant="t", limit=10, cursor=page.cursor)
        ).session_ids
    assert {f"s{number}" for number in range(25)} - set(all_session_ids(wide, tenant="t")) == set()
    assert len(rest) == len(set(rest)) >= 15


def test_deleted_sessions_are_listed_only_on_request(wide: Any) -> None:
    wide.delete("s3", tenant="t")
    shown = all_session_ids(wide, tenant="t", limit=3)
    assert ("s3" in shown, len(shown)) == (False, 24)
    assert len(all_session_ids(wide, tenant="t", limit=3, deleted=True)) == 25
    wide.append("s3", note(), tenant="t")
    assert "s3" in all_session_ids(wide, tenant="t", limit=3)


@on_durable
def test_a_cursor_outlives_the_ledger_object(open_ledger: Callable[..., Any]) -> None:
    first = open_ledger()
    for session in "abc":
        first.append(session, note())
    page = first.list_session_ids(limit=2)
    first.close()
    rest = open_ledger().list_session_ids(cursor=page.cursor).session_ids
    assert sorted(page.session_ids + rest) == ["a", "b", "c"]
