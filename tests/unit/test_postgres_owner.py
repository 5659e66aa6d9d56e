"""A role that owns its database and is nothing else, as managed servers give one: all works for it."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from ledger import AsyncLedger, Ledger, NewEvent
from projections import Handler, Handlers, Views
from tests.support.cli import run_cli
from tests.support.views import TALLY, counted, stored, tally, views_of

README = Path(__file__).parents[2] / "README.md"


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


@pytest.fixture
def granted_urls(owned_url: str, postgres_url: str) -> Iterator[tuple[str, str]]:
    """The URLs of the README's application and reader, to a ledger that its owner has made."""
    owner = urlsplit(owned_url).username or ""
    roles = {name: f"{name}_{uuid4().hex}" for name in ("app", "reader")} | {"owner": owner}
    with Ledger.open(owned_url) as ledger:
        views_of(ledger, TALLY).catch_up()
    [grants] = re.findall(r"```sql\n(GRANT .*?)```", README.read_text(), re.DOTALL)
    for name, role in roles.items():
        grants = re.sub(rf"\b{name}\b", role, grants)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for name in ("app", "reader"):
            role = sql.Identifier(roles[name])
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'right'").format(role))
        with psycopg.connect(owned_url, autocommit=True) as connection:
            connection.execute(grants)
        yield tuple(
            owned_url.replace(f"//{owner}:", f"//{roles[name]}:") for name in ("app", "reader")
        )
        with psycopg.connect(owned_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA ledger CASCADE")
        for name in ("app", "reader"):
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(roles[name])))


def test_the_grants_of_the_readme_are_enough_also_for_versions_that_are_made_later(
    granted_urls: tuple[str, str], owned_url: str
) -> None:
    app_url, reader_url = granted_urls
    later = tally(version=2)
    with Ledger.open(owned_url) as ledger:
        views_of(ledger, later).catch_up()
    with Ledger.open(app_url) as ledger:
        ledger.append("s", counted())
        assert views_of(ledger, TALLY).rows(TALLY.name, "s") != []
        views_of(ledger, later).catch_up()
    with Ledger.open(reader_url) as ledger:
        assert views_of(ledger, TALLY).rows(TALLY.name, "s", consistency="eventual") != []
    with psycopg.connect(app_url, autocommit=True) as app:
        for change in ("UPDATE ledger.events SET type = ''", "DELETE FROM ledger.events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(change)
    with psycopg.connect(reader_url) as reader:
        assert reader.execute("SELECT count(*) FROM ledger.view_tally_v2").fetchone() == (1,)


def test_a_role_that_only_reads_prints_views_as_they_stand(
    granted_urls: tuple[str, str], owned_url: str
) -> None:
    with Ledger.open(owned_url) as ledger:
        said = {"qa_id": "q", "question": "Where is Lyon?", "answer": "In France."}
        ledger.append(
            "s", [counted(), NewEvent(said, "qa.recorded"), NewEvent(said, "qa.recorded")]
        )
        Views(ledger).catch_up()
        ledger.append("s", counted())
    [_, url] = granted_urls
    for command, shown in (
        (["show", "s"], "In France."),
        (["show"], "active"),
        (["search", "Lyon"], "In France."),
        (["anomalies"], "ignored, it was recorded before"),
    ):
        refused = run_cli(*command, "--url", url)
        assert (refused.code, refused.out) == (4, "")
        done = run_cli(*command, "--url", url, "--eventual")
        assert (done.code, done.err) == (0, "")
        assert shown in done.out
