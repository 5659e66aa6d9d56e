"""A role that owns its database and is nothing else, as managed servers give one: all works for it."""

import asyncio

import psycopg

from ledger import AsyncLedger, Ledger
from projections import Handler, Handlers, Views
from tests.support.views import TALLY, counted, stored, views_of


def is_superuser(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(row.fetchone()[0])  # type: ignore[index]  # everybody is in there once


def test_an_owner_makes_a_ledger_and_uses_all_of_it(owned_url: str) -> None:
    assert not is_superuser(owned_url)
    called: list[str] = []
    with Ledger.open(owned_url) as ledger:
        ledger.append("s", counted())
        ledger.append("s", [counted(), counted()])
        with psycopg.connect(owned_url) as mine:
            ledger.append("s", counted(), connection=mine)
        views = views_of(ledger, TALLY)
        [row] = stored(views, TALLY, "s").values()
        assert row.sequences == [1, 2, 3, 4]
        handler = Handler(
            name="call", version=1, handle=lambda event, key: called.append(key), start="beginning"
        )
        assert Handlers(ledger, [handler]).run().called == len(called) == 4
        assert Views(ledger).search("nothing").items == []
        assert Views(ledger).status().healthy
        assert ledger.verify().ok

    async def append() -> int:
        async with await AsyncLedger.open(owned_url) as other:
            return (await other.append("s", counted())).sequence

    assert asyncio.run(append()) == 5
