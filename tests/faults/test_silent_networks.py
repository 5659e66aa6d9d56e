"""A network that stays up and passes nothing on: calls end with an error, in bounded time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ledger import RetryableError
from tests.support.builders import note, on_postgres, repeated, texts

pytestmark = on_postgres

TIMES = {"lock_timeout_s": 1, "connect_timeout_s": 2, "retry_timeout_s": 3}
# retry_timeout_s + connect_timeout_s, and several times that for a busy machine; less than what
# the same call takes with the times that a ledger has by itself.
BOUND_S = 25.0


class SilentProxy:
    """Passes everything on until it is told to be silent; then it keeps all connections open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        credentials, at, _ = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit(parts._replace(netloc=credentials + at + place))
        self._talking = threading.Event()
        self._talking.set()
        self._sockets: list[socket.socket] = []
        self._closed = False
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def silence(self) -> None:
        """Pass nothing on any more, in either direction."""
        self._talking.clear()

    def speak(self) -> None:
        """Pass on what was kept back, and what comes."""
        self._talking.set()

    def close(self) -> None:
        """Cut everything."""
        with self._lock:
            self._closed = True
            opened = [self._listener, *self._sockets]
        self._talking.set()
        for one in opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                if self._closed:  # nobody else would close what comes in the last moment
                    client.close()
                    server.close()
                    return
                self._sockets += (client, server)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._talking.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(url: str) -> Iterator[SilentProxy]:
    opened = SilentProxy(url)
    yield opened
    opened.close()


def opened(open_ledger: Callable[..., Any], proxy: SilentProxy) -> Any:
    """Return a ledger with one event, behind the proxy and with short time-outs."""
    ledger = repeated(lambda: open_ledger(proxy.url, **TIMES))
    first = note("first")
    repeated(lambda: ledger.append("s", first))
    return ledger


def timed(call: Callable[[], Any]) -> float:
    """Return how long it takes a call to raise something retryable."""
    start = time.monotonic()
    with pytest.raises(RetryableError):
        call()
    return time.monotonic() - start


@pytest.mark.parametrize("number", [1, 2])
def test_an_append_into_silence_ends_and_repeating_it_stores_it_once(
    open_ledger: Callable[..., Any], proxy: SilentProxy, number: int
) -> None:
    ledger = opened(open_ledger, proxy)
    events = [note(str(n)) for n in range(number)]
    proxy.silence()
    assert timed(lambda: ledger.append("s", events)) < BOUND_S
    proxy.speak()
    repeated(lambda: ledger.append("s", events))
    assert texts(repeated(lambda: ledger.read("s"))) == ["first", *(str(n) for n in range(number))]


def test_a_read_into_silence_ends(open_ledger: Callable[..., Any], proxy: SilentProxy) -> None:
    ledger = opened(open_ledger, proxy)
    proxy.silence()
    assert timed(lambda: ledger.read("s")) < BOUND_S
    proxy.speak()
    assert texts(repeated(lambda: ledger.read("s"))) == ["first"]


def test_closing_in_silence_ends(open_ledger: Callable[..., Any], proxy: SilentProxy) -> None:
    ledger = opened(open_ledger, proxy)
    repeated(lambda: ledger.read("s", after=9, wait=0.01))
    proxy.silence()
    start = time.monotonic()
    ledger.close()
    assert time.monotonic() - start < BOUND_S


def test_what_the_caller_says_about_the_network_counts(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger = open_ledger(f"{url}?tcp_user_timeout=1234&keepalives_idle=77")
    inner = getattr(ledger, "_target", ledger)
    parameters = inner.backend._target.parameters
    assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == ("1234", "77")
    assert parameters["keepalives_count"] == 3
