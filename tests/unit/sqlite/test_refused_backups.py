"""Copies that are refused: the error tells what to do, and nothing is left."""

import os
import random
from pathlib import Path
from typing import Any

import apsw
import pytest

from ledger import InvalidArgument, Ledger, NotALedger, StorageFailed, backup
from tests.support.builders import note


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Where a copy would go."""
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies" / "copy.db"


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (None, "expected the name of a file"),
        (b"copy.db", "expected the name of a file"),
        ("", "it names no file.$"),
        ("a\0b", "it names no file.$"),
        (":memory:", "it names no file.$"),
        ("\ud800", "files are named in"),
        ("\udcff", r"names in UTF-8 alone, which '.*\\udcff' is not"),
        ("new/", "'new/' is a directory's name"),
        ("sub/..", "is a directory's name"),
        ("a" * 300, "the name is too long"),
        ("a" * 250, "the name is too long"),
        ("sqlite:///copy.db", "expected the name of a file"),
        ("/nowhere/copy.db", "there is no directory '/nowhere'"),
    ],
)
def test_a_copy_needs_a_name(
    ledger: Ledger,
    url: str,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Any,
    says: str,
) -> None:
    monkeypatch.chdir(copy.parent)
    with pytest.raises(InvalidArgument, match=says) as refused:
        backup(url, wrong)
    assert refused.value.argument == "path"
    assert names(copy.parent) == []


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("lock_timeout_s", ("x", None, True, float("nan"), -1, float("inf"), 1e30)),
        ("verify", ("no", 0, None)),
    ],
)
def test_an_option_of_another_kind_is_refused(
    ledger: Ledger, url: str, copy: Path, option: str, values: tuple[Any, ...]
) -> None:
    for value in values:
        with pytest.raises(InvalidArgument) as refused:
            backup(url, copy, **{option: value})
        assert refused.value.argument == option
    assert names(copy.parent) == []


def test_where_nothing_may_be_made_storage_fails(
    ledger: Ledger, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a directory that may not be searched, which root, who runs this, always may.
    def refuse(path: object, *_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        patch.setattr(os, "unlink", refuse)
        with pytest.raises(StorageFailed, match=f"{copy} cannot be made: Permission denied"):
            backup(url, copy)


def test_a_file_that_cannot_be_looked_at_is_no_missing_one(
    ledger: Ledger, url: str, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def refuse(given: Any, *args: Any, **options: Any) -> os.stat_result:
        if given == str(path):
            raise PermissionError(13, "Permission denied", given)
        return look(given, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        with pytest.raises(StorageFailed, match=f"{path} cannot be read: Permission denied"):
            backup(url, copy)


def test_what_is_no_file_is_refused_with_what_to_do(copy: Path, tmp_path: Path) -> None:
    for url, says in (
        ("postgresql://nowhere/d", "pg_dump -n SCHEMA"),
        ("memory:", "no file to copy; export it"),
        (f"sqlite:///{tmp_path}/missing.db", "there is no file"),
    ):
        with pytest.raises(InvalidArgument, match=says) as refused:
            backup(url, copy)
        assert refused.value.argument == "url"
    assert names(tmp_path) == ["copies"]


def test_a_foreign_file_is_no_ledger(tmp_path: Path, copy: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("no database at all, but long enough to be looked at" * 99)
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    (tmp_path / "empty.db").touch()
    encrypted = tmp_path / "encrypted.db"
    encrypted.write_bytes(random.Random(1).randbytes(8_192))
    for file in (text, encrypted, other, tmp_path / "empty.db", tmp_path, Path(os.devnull)):
        with pytest.raises(NotALedger):
            backup(f"sqlite:///{file}", copy)
    for file in (text, encrypted, tmp_path, Path(os.devnull)):
        with pytest.raises(NotALedger) as copied:
            backup(f"sqlite:///{file}", copy)
        with pytest.raises(NotALedger) as opened:
            Ledger.open(f"sqlite:///{file}")
        assert str(copied.value) == str(opened.value)
    assert names(copy.parent) == []


def test_a_damaged_page_is_told_of_the_file_that_is_there(
    ledger: Ledger, url: str, path: Path, copy: Path
) -> None:
    for _ in range(20):
        ledger.append("s", [note("x" * 500) for _ in range(20)])
    ledger.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"x" * 20_000)
    with pytest.raises(StorageFailed) as failed:
        backup(url, copy, verify=True)
    assert failed.value.problem.startswith(f"The copy of {path} was not kept: {path} is damaged (")
    assert names(copy.parent) == []
