"""A TCP proxy before PostgreSQL that cuts connections at chosen moments of an append.

It reads just enough of the wire protocol to know which request is an append and when the server
has answered it: message types and lengths, the texts of prepared statements, the server process.
TLS would hide all that, so clients must come with the URL this proxy gives.
"""

import contextlib
import enum
import functools
import random
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.support.builders import eventually

#: Of append_event( and append_events( in a statement that is prepared, and of one without a function.
_APPENDS = (b".append_event", b".events\n    SELECT")
_RECEIVE_BYTES = 262_144


class Cut(enum.Enum):
    """When a connection is cut, seen from the append that it carries."""

    BEFORE = "before the request reaches the server"
    DURING = "while the server works on it"
    AFTER = "after the commit, before the reply"


class Deck:
    """Which of the coming appends are cut, and how: shuffled once, drawn from one by one."""

    def __init__(self, seed: int, *, cuts_of_each_kind: int, spared: int) -> None:
        cards: list[Cut | None] = [cut for cut in Cut for _ in range(cuts_of_each_kind)]
        cards += [None] * spared
        random.Random(seed).shuffle(cards)
        self._cards = cards
        self._lock = threading.Lock()

    def draw(self) -> Cut | None:
        """Return the fate of the next append; None when it is spared."""
        with self._lock:
            return self._cards.pop() if self._cards else None

    @property
    def is_empty(self) -> bool:
        """Whether every cut has been dealt out."""
        return not self._cards


class CuttingProxy:
    """Passes everything on, except that the deck's cards are played on the appends.

    A cut DURING an append is made while the append provably waits inside the server, behind a lock
    on the table of buckets. Chance then decides whether its server process is ended before the
    lock is released, at the same moment, or not at all: it may or may not commit.
    """

    def __init__(self, url: str, deck: Deck, *, seed: int = 0) -> None:
        self._server_url = url
        self._deck = deck
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        # One cut DURING an append at a time: two of them would wait for each other's lock.
        self._during = threading.Lock()
        self._admin: psycopg.Connection[tuple[object, ...]] | None = None
        self._closed = False
        self.made: Counter[Cut] = Counter()
        self.errors: list[BaseException] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL of the server as clients of the proxy have to write it."""
        parts = urlsplit(self._server_url)
        host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        credentials, at, _ = parts.netloc.rpartition("@")
        query = "sslmode=disable&gssencmode=disable"
        return urlunsplit(parts._replace(netloc=credentials + at + host, query=query))

    @property
    def is_done(self) -> bool:
        """Whether every cut of the deck has been made, or one of them failed."""
        return self._deck.is_empty or bool(self.errors)

    def close(self) -> None:
        """Cut every connection and end."""
        with self._lock:
            self._closed = True
            open_now = [self._listener, *self._sockets]
        for opened in open_now:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        if self._admin is not None:
            self._admin.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            address = urlsplit(self._server_url)
            assert address.hostname is not None
            try:
                server = socket.create_connection((address.hostname, address.port or 5432))
            except OSError:
                client.close()
                continue
            with self._lock:
                if self._closed:
                    client.close()
                    server.close()
                    return
                self._sockets |= {client, server}
            self._start(functools.partial(self._serve, client, server))

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            _Connection(self, client, server).run()
        except OSError:
            pass  # one side is gone: so is the other, below
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            with self._lock:
                self._sockets -= {client, server}
            client.close()
            server.close()

    def fate(self) -> Cut | None:
        """Draw the next append's card."""
        return self._deck.draw()

    def note(self, cut: Cut) -> None:
        """Count a cut that was made."""
        with self._lock:
            self.made[cut] += 1

    def cut_during(self, connection: "_Connection", request: bytes) -> None:
        """Forward a request that cannot finish, cut its client off, then let chance decide."""
        with self._during:
            admin = self._admin = self._admin or psycopg.connect(self._server_url, autocommit=True)
            pid = connection.server_pid
            with admin.transaction():
                admin.execute("LOCK TABLE ledger.buckets IN EXCLUSIVE MODE")
                connection.server.sendall(request)
                eventually(lambda: _waits_for_a_lock(admin, pid))
                connection.client.close()
                self.note(Cut.DURING)
                ending = self._random.choice(("ended", "raced", "spared"))
                if ending == "ended":
                    admin.execute("SELECT pg_terminate_backend(%s)", [pid])
            if ending == "raced":
                admin.execute("SELECT pg_terminate_backend(%s)", [pid])


def _waits_for_a_lock(admin: "psycopg.Connection[tuple[object, ...]]", pid: int) -> bool:
    row = admin.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", [pid]).fetchone()
    return row is not None


class _Connection:
    """One client and its connection to the server, seen message by message."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.server_pid = 0
        self._proxy = proxy
        self._requests = _Messages(greeting=True)
        self._answers = _Messages(greeting=False)
        self._request: list[bytes] = []
        self._appends: set[bytes] = set()
        self._is_append = False
        self._swallowing = False
        self._is_over = False

    def run(self) -> None:
        """Pass messages on until one side ends or a card says so."""
        while not self._is_over:
            readable, _, _ = select.select([self.client, self.server], [], [])
            if self.server in readable:
                self._from_server()
            elif self.client in readable:
                self._from_client()

    def _from_client(self) -> None:
        data = self.client.recv(_RECEIVE_BYTES)
        if not data:
            self._is_over = True
            return
        for kind, message in self._requests.feed(data):
            self._request.append(message)
            self._look(kind, message)
            if kind in (b"S", b"Q", b"H", b"X", b"p", b""):
                self._forward()
                if self._is_over:
                    return

    def _look(self, kind: bytes, message: bytes) -> None:
        if kind == b"P":
            name, query, _ = message[5:].split(b"\0", 2)
            self._appends.discard(name)
            if any(one in query for one in _APPENDS):
                self._appends.add(name)
        elif kind == b"B":
            _, name, _ = message[5:].split(b"\0", 2)
            self._is_append |= name in self._appends
        elif kind == b"Q":
            self._is_append |= any(one in message for one in _APPENDS)

    def _forward(self) -> None:
        request, self._request = b"".join(self._request), []
        is_append, self._is_append = self._is_append, False
        fate = self._proxy.fate() if is_append else None
        if fate is Cut.BEFORE:
            self._proxy.note(fate)
            self._is_over = True
        elif fate is Cut.DURING:
            self._proxy.cut_during(self, request)
            self._is_over = True
        else:
            self._swallowing = fate is Cut.AFTER
            self.server.sendall(request)

    def _from_server(self) -> None:
        data = self.server.recv(_RECEIVE_BYTES)
        if not data:
            self._is_over = True
            return
        answers = list(self._answers.feed(data))
        for kind, message in answers:
            if kind == b"K":
                (self.server_pid,) = struct.unpack_from(">i", message, 5)
            elif kind == b"Z" and self._swallowing:
                # Ready for the next query: the commit is behind it.
                self._proxy.note(Cut.AFTER)
                self._is_over = True
                return
        if not self._swallowing:
            self.client.sendall(b"".join(message for _, message in answers))


class _Messages:
    """Cuts a stream of bytes into messages; the first of a client carries no type."""

    def __init__(self, *, greeting: bool) -> None:
        self._buffer = bytearray()
        self._greeting = greeting

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield type and bytes of every message that is complete now."""
        self._buffer += data
        while True:
            start = 0 if self._greeting else 1
            if len(self._buffer) < start + 4:
                return
            (length,) = struct.unpack_from(">I", self._buffer, start)
            if len(self._buffer) < start + length:
                return
            message = bytes(self._buffer[: start + length])
            del self._buffer[: start + length]
            self._greeting = False
            yield message[:start], message
