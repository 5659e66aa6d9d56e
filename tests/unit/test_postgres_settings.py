"""Settings of the role, of the URL and of a caller's connection that change how SQL is read."""

from urllib.parse import quote

import psycopg
import pytest

from ledger import Ledger, NewEvent

SETTINGS = [
    "-c standard_conforming_strings=off",
    "-c search_path=public",
    "-c bytea_output=escape -c DateStyle=German -c IntervalStyle=sql_standard",
    "-c client_encoding=LATIN1 -c lc_messages=C",
    "-c default_transaction_isolation=serializable",
]


def shadow(url: str) -> None:
    """Put functions of the same names into a schema that a search path may name."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 $$"
        )


@pytest.mark.parametrize("settings", SETTINGS)
def test_hashes_are_the_same_under_any_settings(postgres_url: str, settings: str) -> None:
    shadow(postgres_url)
    url = f"{postgres_url}?options={quote(settings)}"
    for address in (url, postgres_url):
        with Ledger.open(address) as ledger:
            ledger.append("one", NewEvent({"text": "日本"}, "note"))
            ledger.append("several", [NewEvent({}, "note"), NewEvent({}, "note")])
            with psycopg.connect(url) as own:
                own.execute("SELECT 1")
                ledger.append("within", NewEvent({}, "note"), connection=own)
    with Ledger.open(postgres_url) as ledger:
        report = ledger.verify()
        assert (report.ok, report.events) == (True, 8)
