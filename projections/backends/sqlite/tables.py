"""Tables as SQLite makes and drops them, and what their columns and indexes are called."""

from __future__ import annotations

from ledger.backends.queries import load_queries

from ...engine.projection import Index
from ...engine.tables import SEARCH_ID, SEARCH_WORDS, Column, Kind, Table, key_line

SQL = load_queries(__package__, "statements.sql")

_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.REAL: "REAL",
    Kind.BOOLEAN: "INTEGER",
    Kind.MOMENT: "TEXT",
    Kind.JSON: "TEXT",
}
#: Nothing is left to it. A STRICT table tells no more of a column than its type and its default:
#: this one tells the text of a value from its JSON, as which older tables have such fields.
_SPELLED_TEXT = "TEXT DEFAULT ''"
_SEARCH_COLUMNS = (f'"{SEARCH_WORDS}" TEXT', f'"{SEARCH_ID}" INTEGER')


def create_table(table: Table) -> list[str]:
    """Return the statements that make a table, its indexes and what finds its rows by words."""
    name, searched = quoted(table.name), table.words is not None
    create = SQL["create_searched_table" if searched else "create_table"]
    found = [create.format(table=name, key=listed(table.key), definitions=_definitions(table))]
    found += [
        SQL["create_index"].format(
            index=quoted(index_name),
            table=name,
            columns=listed(index.fields),
            rows=_rows(index),
        )
        for index_name, index in table.indexes.items()
    ]
    return found + _search(table.name) if searched else found


def old_trigger(name: str) -> str:
    """Return the name of what once indexed new rows, and would index them a second time."""
    return f"{name}_insert"


def without_old_trigger(name: str) -> list[str]:
    """Return the statements that remove it from a table that has it."""
    return [
        SQL["drop_trigger"].format(trigger=quoted(old_trigger(name))),
        SQL["index_anew"].format(search=quoted(search_name(name))),
    ]


def layout(table: Table) -> frozenset[str]:
    """Return how a table looks when SQLite is asked for its columns, in any order, and its key."""
    engine = () if table.words is None else _SEARCH_COLUMNS
    columns = (_definition(column) for column in table.columns)
    return frozenset([*columns, *engine, key_line(table.key)])


def drop_table(name: str) -> list[str]:
    """Return the statements that remove a table and what is found in it."""
    return [SQL["drop_table"].format(table=quoted(one)) for one in (name, search_name(name))]


def search_name(name: str) -> str:
    """Return the name of the index of a table's words."""
    return f"{name}_search"


def definition(name: str, type: str, not_null: bool) -> str:
    """Return one column as it is declared."""
    return f"{quoted(name)} {type}{' NOT NULL' if not_null else ''}"


def _rows(index: Index) -> str:
    conditions = (("rows_present", index.present), ("rows_positive", index.positive))
    return "".join(SQL[name].format(field=quoted(field)) for name, field in conditions if field)


def _search(name: str) -> list[str]:
    parts = {"table": quoted(name), "search": quoted(search_name(name))}
    return [
        SQL[f"create_search{suffix}"].format(trigger=quoted(f"{name}{suffix}"), **parts)
        for suffix in ("", "_secure", "_update", "_delete")
    ]


def _definitions(table: Table) -> str:
    return ",\n    ".join(_definition(column) for column in table.columns)


def _definition(column: Column) -> str:
    is_spelled = column.kind is Kind.TEXT and column.spelling is not None
    type_ = _SPELLED_TEXT if is_spelled else _TYPES[column.kind]
    return definition(column.name, type_, not column.optional)


def listed(names: tuple[str, ...], prefix: str = "") -> str:
    """Return names as a list of columns, each behind a prefix such as "v."."""
    return ", ".join(prefix + quoted(name) for name in names)


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    # Letters, digits and _ only, see tables; the quotes are for words that SQL keeps for itself.
    return f'"{name}"'
