"""What a ledger's URL may be, and that what is refused leaves no file and tells no secret."""

import os
from pathlib import Path

import pytest

from ledger import InvalidArgument, Ledger
from ledger.urls import Address, parse

GOOD = {
    "memory:": Address("memory", ""),
    "sqlite:///a.db": Address("sqlite", "a.db"),
    "sqlite:////tmp/a.db": Address("sqlite", "/tmp/a.db"),  # noqa: S108 - nothing is opened
    "sqlite:///ü 100%25 %3F%23.db": Address("sqlite", "ü 100% ?#.db"),
    "sqlite:///%C3%BC.db": Address("sqlite", "ü.db"),
    "sqlite:///a:b.db": Address("sqlite", "a:b.db"),
    "postgres://u@h/d": Address("postgresql", "postgres://u@h/d"),
    "postgresql://u:p%40ss@h/d?sslmode=disable": Address(
        "postgresql", "postgresql://u:p%40ss@h/d?sslmode=disable"
    ),
    "postgresql:///d": Address("postgresql", "postgresql:///d"),
}
BAD = [
    "sqlite:///x.db?mode=ro",
    "sqlite:///x.db?",
    "sqlite:///x.db#f",
    "sqlite:///x.db#",
    "sqlite:///sqlite:///x.db",
    "sqlite:////sqlite:///x.db",
    "sqlite:///%ff.db",
    "sqlite:///%C3.db",
    "sqlite:///50%.db",
    "sqlite:///%zz.db",
    "sqlite:///x%00.db",
    "sqlite:///x\0.db",
    "sqlite:///\ud800.db",
    "sqlite://host/x.db",
    "sqlite:x.db",
    "SQLITE:///x.db",
    "memory:?x",
    "memory",
    "postgresql:x",
    "postgresql://u:hunter%@h/d",
    "postgresql://u:hunter%ff@h/d",
    "postgresql://u:hunter%00@h/d",
    "postgresql://u:hunter\ud800@h/d",
    "host=h password=hunter",
    "hunter@h",
    "hunter@h:5432/d",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_url_leads_to_its_address(url: str) -> None:
    assert parse(url) == GOOD[url]


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_what_no_url_can_say_is_refused_before_a_file_exists(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument) as caught:
        Ledger.open(url)
    assert caught.value.argument == "url"
    assert "hunter" not in str(caught.value)
    assert os.listdir(tmp_path) == []
