"""Rows as JSON documents: what is read from one is the view that its columns make."""

import types
from datetime import UTC, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import apsw
import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from projections.backends.row_queries import RowQuery
from projections.backends.sqlite.statements import TableStatements
from projections.backends.sqlite.tables import create_table
from projections.builtin import BUILTIN
from projections.engine.row_documents import document_reader
from projections.engine.row_snapshots import ROW_SNAPSHOTS
from projections.engine.tables import Table
from tests.properties.profile import SEED, examples

TABLES = [ROW_SNAPSHOTS, *(Table(projection) for projection in BUILTIN)]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value or 0.0)
integers = st.integers(-(2**63), 2**63 - 1)
leaves = st.none() | st.booleans() | integers | floats | texts
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: integers,
    float: floats,
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Any: st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
}


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return the values of a field's type."""
    if hint in SCALARS:
        return SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([st.none() if one is type(None) else values_of(one) for one in arguments])
    if origin is list:
        return st.lists(values_of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    assert issubclass(hint, msgspec.Struct), hint
    return structs_of(hint)


@cache
def structs_of(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return structs with anything in their fields."""
    hints = get_type_hints(struct)
    fields = {name: values_of(hints[name]) for name in struct.__struct_fields__}
    return st.builds(struct, **fields)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.projection.name)
def test_a_view_is_the_same_from_its_columns_and_from_its_document(table: Table) -> None:
    assert document_reader(table) is not None
    statements = TableStatements(table)
    connection = apsw.Connection(":memory:")
    for statement in create_table(table):
        connection.execute(statement)
    query = RowQuery(table=table, bucket=0, equal=())

    @seed(SEED)
    @examples(15)
    @given(structs_of(table.projection.view))
    def check(view: Any) -> None:
        connection.execute("BEGIN")
        try:
            for statement, bound in statements.upserts(0, [table.encode(view)]):
                connection.executemany(statement, bound)
            rows = connection.execute(*statements.select(query)).fetchall()
            documents = connection.execute(*statements.read(query)).fetchall()
        finally:
            connection.execute("ROLLBACK")
        [plain] = [table.decode(statements.row(row)) for row in rows]
        [read] = statements.views(documents)
        # 1 == 1.0 == True, but they are not spelled alike; nor are two names of one time zone.
        assert repr(read) == repr(plain)
        assert read == plain

    check()
    connection.close()


@seed(SEED)
@examples(300)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=20, max_size=20))
def test_every_float_comes_back_from_a_document(values: list[float]) -> None:
    with apsw.Connection(":memory:") as connection:
        marks = ", ".join("?" * len(values))
        text = connection.execute(f"SELECT json_array({marks})", values).get
    assert msgspec.json.decode(text, type=list[float]) == values
