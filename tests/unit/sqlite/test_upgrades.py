"""Files of earlier schema versions: opened, they become what a new one is, and lose nothing."""

from pathlib import Path

import apsw
import pytest

from ledger import Ledger, NewEvent
from ledger.backends.base import OpenOptions
from ledger.backends.sqlite import opening
from tests.support.builders import note, notes, sequences, together

NEWEST = 2
OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"


def make_version(path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file as an earlier version did, with some events."""
    with monkeypatch.context() as earlier:
        earlier.setattr(opening, "_MIGRATIONS", opening._MIGRATIONS[:version])
        earlier.setattr(opening, "SCHEMA", version)
        with Ledger.open(f"sqlite:///{path}") as old:
            old.append("s", [*notes("ab"), NewEvent({"sequences": [1]}, "content.redacted")])


def objects(path: Path) -> set[tuple[object, ...]]:
    """Return what a file has: its version, its tables, indexes and triggers."""
    connection = apsw.Connection(str(path))
    found = {*connection.execute(OBJECTS), (connection.pragma("user_version"),)}
    connection.close()
    return found


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_file_of_every_version_becomes_what_a_new_one_is(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    make_version(path, version, monkeypatch)
    assert (version,) in objects(path)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.backend.info.schema == NEWEST == opening.SCHEMA
        ledger.append("s", [note("c"), NewEvent({"sequences": [2]}, "content.redacted")])
        assert sequences(ledger.read("s")) == [1, 2, 3, 4, 5]
        assert sequences(ledger.read("s", types=["content.redacted"])) == [3, 5]
        assert ledger.verify().ok
    Ledger.open(f"sqlite:///{tmp_path}/new.db").close()
    assert objects(path) == objects(tmp_path / "new.db")


def test_an_upgrade_that_breaks_off_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(path, 1, monkeypatch)
    before = objects(path)
    with monkeypatch.context() as broken:
        broken.setattr(opening, "_MIGRATIONS", [*opening._MIGRATIONS, "SELECT * FROM nowhere"])
        broken.setattr(opening, "SCHEMA", NEWEST + 1)
        with pytest.raises(Exception, match="nowhere"):
            Ledger.open(f"sqlite:///{path}")
    assert objects(path) == before
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert sequences(ledger.read("s")) == [1, 2, 3]


def test_a_file_is_upgraded_under_those_who_still_append_to_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(path, 1, monkeypatch)
    with monkeypatch.context() as earlier:
        earlier.setattr(opening, "_MIGRATIONS", opening._MIGRATIONS[:1])
        earlier.setattr(opening, "SCHEMA", 1)
        old = Ledger.open(f"sqlite:///{path}")
    with old, Ledger.open(f"sqlite:///{path}") as ledger:
        old.append("s", NewEvent({"sequences": [2]}, "content.redacted"))
        ledger.append("s", NewEvent({"sequences": [3]}, "content.redacted"))
        assert sequences(ledger.read("s", types=["content.redacted"])) == [3, 4, 5]
        assert sequences(old.read("s")) == [1, 2, 3, 4, 5]


def test_many_may_upgrade_the_same_file_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(path, 1, monkeypatch)
    opened = together([lambda: opening.open_file(str(path), OpenOptions())] * 4)
    for connection, info in opened:  # type: ignore[misc] # none of them failed
        assert info.schema == NEWEST
        connection.close()
