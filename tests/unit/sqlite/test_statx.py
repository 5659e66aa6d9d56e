"""What a file is, asked without its times: the same as stat says, and where statx cannot be asked."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.backends.sqlite import statx
from ledger.processes import file_identity


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_linux_has_it() -> None:
    answer = statx._find()(b"/")
    assert answer is not None
    assert len(answer) == 256


def without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)


def linked_statically(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: None) -> None:
        raise OSError("Dynamic loading not supported")

    monkeypatch.setattr("ctypes.CDLL", refuse)


def in_an_old_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())


def on_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")


def in_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does that does not know the call."""

    class Library:
        @staticmethod
        def statx(*asked: object) -> int:
            return -1

    monkeypatch.setattr("ctypes.CDLL", lambda name: Library)


@pytest.mark.parametrize(
    "place",
    [None, without_ctypes, linked_statically, in_an_old_library, on_another_system, in_a_sandbox],
)
def test_it_is_what_stat_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[pytest.MonkeyPatch], None] | None,
) -> None:
    if place is not None:
        place(monkeypatch)
        monkeypatch.setattr(statx, "_ask", statx._find())
        assert statx._ask(b"/") is None
    (tmp_path / "wäl").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "wäl")
    for file in ("wäl", "link", "."):
        assert statx.identity(str(tmp_path / file)) == file_identity(str(tmp_path / file))
    assert statx.identity(os.devnull) == file_identity(os.devnull)
    assert statx.identity(str(tmp_path / "link")) != statx.identity(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="none"):
        statx.identity(str(tmp_path / "none"))
