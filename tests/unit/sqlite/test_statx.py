"""What a file is, asked without its times: the same as stat says, and where statx cannot be asked."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.backends.sqlite import statx
from ledger.processes import file_identity


def refuse(*asked: object) -> int:
    """As a sandbox does that does not know the call."""
    return -1


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_linux_has_it() -> None:
    assert statx._find() is not None


@pytest.mark.parametrize("ask", [statx._statx, refuse, None], ids=["statx", "refused", "missing"])
def test_it_is_what_stat_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., int] | None
) -> None:
    monkeypatch.setattr(statx, "_statx", ask)
    (tmp_path / "wäl").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "wäl")
    for file in ("wäl", "link", "."):
        assert statx.identity(str(tmp_path / file)) == file_identity(str(tmp_path / file))
    assert statx.identity(os.devnull) == file_identity(os.devnull)
    assert statx.identity(str(tmp_path / "link")) != statx.identity(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="none"):
        statx.identity(str(tmp_path / "none"))
