"""What several views of a session are asked for with: statements that are composed once."""

from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH, MAX_CACHED_STATEMENT_PARAMS

from projections.backends.postgres.together import Together
from projections.backends.session_rows import SessionRows, is_single
from projections.builtin import BUILTIN
from projections.engine.tables import Table
from projections.readers.moments import Parts, session_query
from projections.session_stores.conversation.reading import NAMES
from projections.session_stores.snapshot.records import SNAPSHOT, VIEWS

TABLES = {one.name: Table(one) for one in BUILTIN}
ONLY = {"snapshots": (("name", SNAPSHOT),)}


def rows_of(
    names: tuple[str, ...], limit: int | None = 128, only: dict[str, Parts] = ONLY
) -> SessionRows:
    return SessionRows(
        tuple(
            session_query(
                TABLES[name], ("", ""), 0, limit, only=only.get(name, ()), newest_first=True
            )
            for name in names
        )
    )


def test_what_stores_ask_is_short_enough_for_the_driver_to_take_apart_only_once() -> None:
    together = Together("a_schema_with_quite_a_long_name")
    for names in (NAMES, VIEWS):
        call = together.call(0, ("t", "s"), rows_of(names))
        assert call is not None
        assert len(call.statement) <= MAX_CACHED_STATEMENT_LENGTH
        assert len(call.parameters) <= MAX_CACHED_STATEMENT_PARAMS


def test_what_is_asked_again_is_not_composed_again() -> None:
    together, wanted = Together("ledger"), rows_of(VIEWS)
    calls = [together.call(bucket, ("t", str(bucket)), wanted) for bucket in (1, 2)]
    assert calls[0] is not None
    assert calls[1] is not None
    assert calls[0].statement is calls[1].statement
    assert [call.parameters["s"] for call in calls] == ["1", "2"]  # type: ignore[union-attr,call-overload] # they are by name


def test_other_parts_of_keys_are_other_parameters_of_the_same_statement() -> None:
    together = Together("ledger")
    calls = [
        together.call(1, ("t", "s"), rows_of(VIEWS, only={"snapshots": (("name", name),)}))
        for name in ("a", "b")
    ]
    assert calls[0] is not None
    assert calls[1] is not None
    assert calls[0].statement is calls[1].statement
    assert [call.parameters["v0"] for call in calls] == ["a", "b"]  # type: ignore[union-attr,call-overload] # they are by name


def test_only_a_row_under_its_whole_key_needs_no_order() -> None:
    queries = [*rows_of(VIEWS).queries, *rows_of(VIEWS, limit=0).queries]
    assert [is_single(one) for one in queries] == [True, False, True, False, False, False]
