"""The tables behind the views: made once, one readable column per field, exact values."""

from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import Event, NewEvent
from projections import TableMismatch
from projections.backends.postgres.statements import TableStatements
from projections.engine.tables import Table
from tests.support.builders import on_durable, on_postgres, only_sync, together
from tests.support.views import (
    HALF_AN_HOUR_WEST,
    SAMPLE,
    TALLY,
    Everything,
    OwnMoment,
    Part,
    Tally,
    counted,
    everything,
    views_of,
)

pytestmark = pytest.mark.usefixtures("new_database")

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
bigint = st.integers(-(2**63), 2**63 - 1)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
parts = st.builds(Part, number=bigint, text=st.none() | text)
rows = st.builds(
    Everything,
    tenant=st.just(""),
    session_id=st.just("s"),
    text=text,
    choice=st.sampled_from(["a", "b"]),
    integer=bigint,
    real=finite,
    boolean=st.booleans(),
    moment=moments,
    part=parts,
    mapping=st.dictionaries(text, json, max_size=3),
    listed=st.lists(bigint, max_size=3).map(tuple),
    text_or_none=st.none() | text,
    integer_or_none=st.none() | bigint,
    real_or_none=st.none() | finite,
    boolean_or_none=st.none() | st.booleans(),
    moment_or_none=st.none() | moments,
    part_or_none=st.none() | parts,
    anything=json,
)
seen = NewEvent({}, "thing.seen")


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # each example is another fold
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(row=rows)
def test_every_value_comes_back_as_it_was(ledger: Any, row: Everything) -> None:
    views = views_of(ledger, everything(lambda event: row))
    ledger.append("s", NewEvent({}, "thing.seen"))
    assert views.row("everything", ("", "s")) == row


@pytest.mark.parametrize("number", [1e16, -1.2345678901234567e18, 1.5e300, 5e-324, 1e22, 0.1])
def test_large_floats_in_json_stay_floats(ledger: Any, number: float) -> None:
    row = msgspec.structs.replace(SAMPLE, anything=["1e16", '\\"1e16', number, {"1e5": number}])
    views = views_of(ledger, everything(lambda event: row))
    ledger.append("s", seen)
    found = views.row("everything", ("", "s")).anything
    assert found == row.anything
    assert type(found[2]) is float


def test_moments_come_back_in_utc(ledger: Any) -> None:
    views = views_of(ledger, everything(lambda event: SAMPLE))
    ledger.append("s", seen)
    moment = views.row("everything", ("", "s")).moment
    assert (moment, moment.tzinfo) == (SAMPLE.moment, UTC)


def test_moments_of_a_class_of_its_own_are_stored_as_any(ledger: Any) -> None:
    moments = [OwnMoment(2026, 1, 2, 3, 4, 5, 6, tz) for tz in (UTC, HALF_AN_HOUR_WEST)]
    types_before = set()

    def apply(view: Everything | None, event: Event) -> Everything:
        types_before.add(view and type(view.moment))
        moment = moments[event.data["number"] % 2]
        return msgspec.structs.replace(SAMPLE, session_id=event.session_id, moment=moment)

    def tell(number: int) -> None:
        twice = [NewEvent({"number": number}, "thing.seen") for _ in range(2)]
        ledger.append(f"s{number}", twice)

    views = views_of(ledger, msgspec.structs.replace(everything(lambda _: SAMPLE), apply=apply))
    # Of few, rows are made one by one, and of many column by column.
    for number in range(4):
        tell(number)
        views.catch_up()
    for number in range(4, 60):
        tell(number)
    views.catch_up()
    for number in range(60):
        found = views.row("everything", ("", f"s{number}")).moment
        assert (type(found), found) == (datetime, moments[number % 2])
    assert types_before == {None, datetime}


@on_durable
@only_sync
def test_other_programs_read_one_column_per_field(ledger: Any, url: str) -> None:
    views = views_of(ledger, everything(lambda event: SAMPLE))
    ledger.append("s", seen)
    views.catch_up()
    if url.startswith("sqlite"):
        statement = """
            SELECT text, integer, real, boolean, moment, part ->> 'number', mapping ->> '$.k[0]',
                "order", text_or_none, strftime('%Y', moment)
            FROM view_everything_v1 WHERE bucket = 0 AND session_id = 's'
        """
        [found] = apsw.Connection(url.removeprefix("sqlite:///")).execute(statement).fetchall()
        moment: Any = "2026-01-02T03:34:05.000006Z"
        assert found == (
            *("it's", -5, 0.5, 1, moment, 1, 1.5),
            *("a word that SQL keeps for itself", None, "2026"),
        )
    else:
        statement = """
            SELECT text, integer, "real", "boolean", moment, (part ->> 'number')::int,
                mapping @> '{"k": [1.5]}', "order", text_or_none
            FROM ledger.view_everything_v1 WHERE session_id = 's'
        """
        with psycopg.connect(url) as connection:
            [row] = connection.execute(statement).fetchall()
        assert row == (
            *("it's", -5, 0.5, True, SAMPLE.moment, 1, True),
            *("a word that SQL keeps for itself", None),
        )


def test_views_may_be_opened_at_the_same_time(open_ledger: Any) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    opened = [views_of(ledger, TALLY) for _ in range(6)]
    assert together([views.catch_up for views in opened]) == [None] * 6
    assert views_of(ledger, TALLY).row("tally", ("", "s", "x")).count == 1


def test_a_table_of_another_struct_is_refused(ledger: Any) -> None:
    class Other(Tally, frozen=True, kw_only=True):
        color: str = ""

    views_of(ledger, TALLY).catch_up()
    views = views_of(ledger, msgspec.structs.replace(TALLY, view=Other))
    with pytest.raises(TableMismatch, match="color") as caught:
        views.catch_up()
    assert (caught.value.table, caught.value.surplus) == ("view_tally_v1", [])


@pytest.mark.parametrize("members", [(), ("sequences",)], ids=["plain", "found by words"])
@pytest.mark.parametrize(
    "key",
    [("tenant", "session_id"), ("tenant", "name", "session_id"), (*TALLY.key, "color")],
    ids=["coarser", "in another order", "finer"],
)
def test_a_table_of_another_key_is_refused(
    ledger: Any, key: tuple[str, ...], members: tuple[str, ...]
) -> None:
    class Colored(Tally, frozen=True, kw_only=True):
        color: str = ""

    colored = msgspec.structs.replace(TALLY, view=Colored, members=members)
    views_of(ledger, colored).catch_up()
    views_of(ledger, colored).catch_up()
    views = views_of(ledger, msgspec.structs.replace(colored, key=key))
    with pytest.raises(TableMismatch, match="another key") as caught:
        views.catch_up()
    assert caught.value.missing == [f"key ({', '.join(key)})"]
    assert caught.value.surplus == ["key (tenant, session_id, name)"]


def test_a_new_version_has_a_table_of_its_own(ledger: Any) -> None:
    ledger.append("s", counted())
    old = views_of(ledger, TALLY)
    old.catch_up()
    new = views_of(ledger, msgspec.structs.replace(TALLY, version=2))
    assert new.rows("tally", "s", consistency="eventual") == []
    assert new.rows("tally", "s") == old.rows("tally", "s")


@on_durable
@only_sync
def test_dropped_tables_are_folded_again(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    ledger.append("s", [counted(), counted()])
    views_of(ledger, TALLY).catch_up()
    if url.startswith("sqlite"):
        apsw.Connection(url.removeprefix("sqlite:///")).execute("DROP TABLE view_tally_v1")
    else:
        with psycopg.connect(url) as connection:
            connection.execute("DROP TABLE ledger.view_tally_v1")
    assert views_of(ledger, TALLY).row("tally", ("", "s", "x")).count == 2


@on_durable
def test_views_outlive_the_ledger_object(open_ledger: Any) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    views_of(ledger, TALLY).catch_up()
    ledger.close()
    again = views_of(open_ledger(), TALLY)
    assert again.row("tally", ("", "s", "x")).count == 1


@on_postgres
@only_sync
def test_a_page_is_loaded_by_key_also_from_a_table_that_was_never_analysed(
    ledger: Any, url: str
) -> None:
    views_of(ledger, TALLY).catch_up()
    load = TableStatements(Table(TALLY), "ledger").load(0, [("", f"s{n}", "x") for n in range(500)])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.view_tally_v1 SET (autovacuum_enabled = off)")
        connection.execute(
            """
            INSERT INTO ledger.view_tally_v1 (bucket, tenant, session_id, name, count, sequences)
            SELECT 0, '', 's' || n, 'x', 1, '[1]' FROM generate_series(1, 20000) AS n
            """
        )
        rows = connection.execute(b"EXPLAIN " + load.statement, load.parameters).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "using view_tally_v1_pkey" in plan
    assert "Seq Scan" not in plan
    assert "Join" not in plan
