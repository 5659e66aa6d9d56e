"""URLs whose passwords were not encoded: refused, without a part of them in the error."""

import asyncio

import pytest

from ledger import AsyncLedger, BackendUnavailable, InvalidArgument, Ledger

BROKEN = [
    "postgresql://u:SEC@RET@h/db",
    "postgresql://u:SEC/RET@h/db",
    "postgresql://u:12/RET@h/db",
    "postgresql://u:SEC/db",
    "postgresql://u:S%ECRET@h/db",
    "postgresql://u:S%RET@h/db",
    "postgresql://u:S?EC@RET@h/db",
    "postgresql://u:S?E/C@RET@h/db",
    "postgresql://u:[SEC@RET@h/db",
    "postgresql://u:SEC:RET/db",
    "postgresql://u:x?SEC=RET",
    "postgresql://u:x@y?SEC=RET@h/db",
    "postgresql://u:x@y/z?SEC=RET@h/db",
]


@pytest.mark.parametrize("url", BROKEN)
def test_a_password_that_is_not_encoded_is_refused_and_never_shown(url: str) -> None:
    for attempt in (lambda: Ledger.open(url), lambda: asyncio.run(AsyncLedger.open(url))):
        with pytest.raises(InvalidArgument) as caught:
            attempt()
        assert caught.value.argument == "url"
        assert "SEC" not in str(caught.value)
        assert "EC@" not in str(caught.value)
        assert "RET" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_parameter_that_there_is_not_is_named() -> None:
    for url in ("postgresql://u:SEC@h:5/db?sslmod=require", "postgresql://h/db?sslmod=require"):
        with pytest.raises(
            InvalidArgument, match='invalid URI query parameter: "sslmod"'
        ) as caught:
            Ledger.open(url)
        assert "SEC" not in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        "u:p%40%2Fw%3A@127.0.0.1:1/db",
        "127.0.0.1:1,127.0.0.1:2/db",
        "/db?host=127.0.0.1&port=1&user=me@example.org",
        "%2Fnowhere:1/db",
    ],
)
def test_a_url_that_libpq_understands_is_tried(parts: str) -> None:
    with pytest.raises(BackendUnavailable):
        Ledger.open(f"postgresql://{parts}", connect_timeout_s=2)
