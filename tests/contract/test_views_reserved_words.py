"""Fields whose names mean something in SQL, or in our statements: they are fields all the same."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from string import ascii_lowercase
from typing import Any

import msgspec
import pytest

from ledger import NewEvent
from projections import Index, Projection
from tests.support.views import views_of


def words_in(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
#: What a name stands for where it is not quoted, or not behind the name of its table.
VALUES = words_in(
    """
    true false null on off yes no unknown default current_date current_time current_timestamp
    current_user current_role current_catalog current_schema session_user system_user user
    localtime localtimestamp nan infinity inf row rows value values excluded old new rank
    """
)
WORDS = words_in(
    """
    abort action add after all alter always analyze and any array as asc asymmetric attach
    autoincrement before begin between both by cascade case cast check collate column commit
    conflict constraint create cross current deferrable deferred delete desc detach distinct do drop
    each else end escape except exclude exclusive exists explain fail filter first following for
    foreign from full generated glob grant group groups having if ignore immediate in index indexed
    initially inner insert instead intersect into is isnull join json key last lateral leading left
    like limit match materialized natural not nothing notnull nulls of offset only or order others
    outer over partition plan pragma preceding primary query raise range recursive references regexp
    reindex release rename replace restrict returning right rollback savepoint select set similar
    some symmetric table temp temporary then ties to trailing transaction trigger unbounded union
    unique update using vacuum variadic view virtual when where window with within without
    """
)
#: Tables, columns and other names in our own statements, and in Python.
OURS = words_in(
    """
    active among asked built c_1 checkpoint checkpoints count data document documents event events
    event_id field fold_digest found given held kept lasting main moment name number part parts
    payload place position projection public rowids schema self cls sequence state sum temp_1 type
    version views wanted word words class def lambda none pass try args kwargs struct id
    """
)
EVERY = {
    "values": VALUES,
    "words": WORDS[: len(WORDS) // 2],
    "more_words": WORDS[len(WORDS) // 2 :],
    "letters": [*ascii_lowercase, *(f"{letter}_" for letter in ascii_lowercase)],
    "ours": OURS,
    # More columns than one of SQLite's functions takes.
    "wide": [*VALUES, *WORDS, *OURS],
}
KINDS: Sequence[tuple[Any, Any]] = [
    (int, 2**53 + 1),
    (str, "x"),
    (bool, False),
    (dict[str, str], {"a": "b"}),
    (datetime, MOMENT),
    (float | None, None),
    (int | None, 0),
    (bool | None, True),
]


def values_of(names: Sequence[str], start: int) -> dict[str, tuple[Any, Any]]:
    """The type and the value of each field."""
    kinds = cycle([*KINDS[start:], *KINDS[:start]])
    return {name: next(kinds) for name in dict.fromkeys(names)}


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("names", EVERY)
def test_every_way_of_reading_gives_what_the_fold_made(ledger: Any, names: str, start: int) -> None:
    fields = values_of(EVERY[names], start)
    texts = [name for name, (kind, _) in fields.items() if kind is str]
    numbers = [name for name, (kind, _) in fields.items() if kind is int]
    moments = [name for name, (kind, _) in fields.items() if kind is datetime]
    view = msgspec.defstruct(
        "Reserved",
        [
            *(("tenant", str), ("session_id", str), ("created_at", datetime)),
            *((name, kind) for name, (kind, _) in fields.items()),
        ],
        frozen=True,
        kw_only=True,
    )
    told = {name: value for name, (_, value) in fields.items()}

    def fold(before: Any, event: Any) -> Any:
        if before is not None:
            numbered = {name: getattr(before, name) + 1 for name in numbers}
            return msgspec.structs.replace(before, **numbered)
        session = {"tenant": event.tenant, "session_id": event.session_id}
        return view(**session, created_at=MOMENT, **told)

    projection = Projection(
        name="reserved",
        version=1,
        view=view,
        key=("tenant", "session_id"),
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=fold,
        types=frozenset({"thing.seen"}),
        indexes=(
            *((name,) for name in (*texts[:3], *moments[:3])),
            Index(texts[:1], positive=numbers[0]),
        ),
        searchable=tuple(texts[:5]),
    )
    views = views_of(ledger, projection)
    key = ("", "s")
    for times in range(3):
        ledger.append("s", NewEvent({}, "thing.seen"))
        made = fold(None, msgspec.structs.replace(ledger.read("s")[0]))
        for _ in range(times):
            made = fold(made, None)
        found = {
            "row_at_head": views.row_at_head("reserved", key).view,
            "row": views.row("reserved", key),
            "again": views.row("reserved", key),
            "eventual": views.row("reserved", key, consistency="eventual"),
            "as_of": views.row("reserved", key, as_of=times + 1),
            "rows": views.rows("reserved", "s"),
            "together": views.together("s", ["reserved"])["reserved"],
            "together_many": views.together_many(["s"], ["reserved"])["s"]["reserved"],
            "search": [hit.view for hit in views.search("x").items],
        }
        assert {name: one if type(one) is view else one[0] for name, one in found.items()} == (
            dict.fromkeys(found, made)
        )


KEYS = ["true", "document", "rank", "v", "r", "user", "b", "wanted", "value", "rows", "excluded"]


@pytest.mark.parametrize("name", KEYS)
def test_a_key_may_have_such_a_name(ledger: Any, name: str) -> None:
    view = msgspec.defstruct(
        "Reserved",
        [
            *(("tenant", str), ("session_id", str), (name, str)),
            *(("seen", int), ("text", str, "some words"), ("created_at", datetime, MOMENT)),
        ],
        frozen=True,
    )

    def keys(event: Any) -> list[tuple[str, ...]]:
        return [(event.tenant, event.session_id, one) for one in event.data["names"]]

    projection = Projection(
        name="reserved",
        version=1,
        view=view,
        key=("tenant", "session_id", name),
        keys=keys,
        # An event that names several rows counts all of them.
        apply=lambda before, event: (
            view(event.tenant, event.session_id, event.data["names"][0], 1)
            if before is None
            else None
            if event.data.get("gone")
            else msgspec.structs.replace(before, seen=before.seen + 1)
        ),
        types=frozenset({"thing.seen"}),
        searchable=("text",),
    )
    views = views_of(ledger, projection)
    for one in ("1", "true", "", "é"):
        ledger.append("s", NewEvent({"names": [one]}, "thing.seen"))
        assert views.row("reserved", ("", "s", one)) == view("", "s", one, 1)
        ledger.append("s", NewEvent({"names": [one]}, "thing.seen"))
        assert views.row_at_head("reserved", ("", "s", one)).view == view("", "s", one, 2)
        assert views.row("reserved", ("", "s", one)) == view("", "s", one, 2)
    expected = [view("", "s", one, 2) for one in ("", "1", "true", "é")]
    assert sorted(views.rows("reserved", "s"), key=lambda one: getattr(one, name)) == expected
    hits = [hit.view for hit in views.search("words").items]
    assert sorted(hits, key=lambda one: getattr(one, name)) == expected
    together = views.together("s", ["reserved"])["reserved"]
    assert sorted(together, key=lambda one: getattr(one, name)) == expected
    ledger.append("s", NewEvent({"names": ["1", "true"], "gone": True}, "thing.seen"))
    assert views.row("reserved", ("", "s", "1")) is None
    assert [getattr(one, name) for one in views.rows("reserved", "s")] in (["", "é"], ["é", ""])
    ledger.delete("s")
    assert views.rows("reserved", "s") == []
