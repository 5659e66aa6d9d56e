"""Databases with defaults that change what statements say: a ledger and its views work in them."""

import psycopg
import pytest
from psycopg import sql

from ledger import Ledger
from tests.support.views import TALLY, counted, stored, views_of


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("quote_all_identifiers", "on"),
        ("standard_conforming_strings", "off"),
        ("default_transaction_isolation", "serializable"),
        ("search_path", ""),
        ("datestyle", "SQL, DMY"),
        ("bytea_output", "escape"),
    ],
)
def test_views_are_made_and_found_again(owned_url: str, setting: str, value: str) -> None:
    with psycopg.connect(owned_url, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        change = sql.SQL("ALTER DATABASE {} SET {} = {}")
        admin.execute(change.format(name, sql.Identifier(setting), sql.Literal(value)))
    for number in (1, 2):
        with Ledger.open(owned_url) as ledger:
            ledger.append("s", counted())
            [row] = stored(views_of(ledger, TALLY), TALLY, "s").values()
            assert row.count == number
            assert ledger.verify().ok
