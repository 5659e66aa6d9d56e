"""A throw-away PostgreSQL server: started, crashed, dumped, restored and removed by tests.

As a program it runs a command beside a server and passes the command's exit code on:

    python -m tests.support.postgres [--durable] -- pytest -m postgres
"""

import argparse
import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil
import psycopg

from tests.support.postgres_databases import PostgresDatabases
from tests.support.postgres_install import PostgresUnavailable, ensure_installed

URL_VARIABLE = "LEDGER_TEST_POSTGRES_URL"
EXIT_UNAVAILABLE = 3

StopMode = Literal["smart", "fast", "immediate"]
_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "jit": "off",  # compiling costs more than any statement of a test
}
# fsync=off only loses data when the machine dies; killed processes leave the page cache intact.
_FAST = {"fsync": "off", "full_page_writes": "off"}
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
_PORT_ATTEMPTS_MAX = 5
# Ends when its standard input does, so also when the owner is killed outright.
_WATCHDOG = """
cat >/dev/null
if pid=$(cat "$1/running" 2>/dev/null); then
    kill -QUIT "$pid" 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf "$1"
"""


class PostgresServer:
    """A cluster of its own, in a temporary directory, on a free port of the loopback interface.

    It never looks at the machine's other clusters. `durable` flushes every commit; `settings`
    override the server's configuration. When the calling process ends, in whatever way, the
    server is stopped and its directory removed.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self._settings = _SETTINGS | (_DURABLE if durable else _FAST) | dict(settings or {})
        self._timeout_s = timeout_s
        self._password = secrets.token_hex(16)
        self._port = _free_port()
        self._owner_pid = os.getpid()
        self._base: Path | None = None
        self._binaries: Path | None = None
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    @property
    def databases(self) -> PostgresDatabases:
        """The server's databases, for those who need no power over the server."""
        url = f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres"
        return PostgresDatabases(url)

    @property
    def is_running(self) -> bool:
        """Whether the server's main process is alive."""
        return self._postmaster is not None and self._postmaster.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; the first time, create its cluster.

        Raises PostgresUnavailable when there is no PostgreSQL and it cannot be installed, and
        RuntimeError with the end of the server's log when it does not come up.
        """
        if self.is_running:
            return
        fresh = self._base is None
        if fresh:
            self._create_cluster()
        for _ in range(_PORT_ATTEMPTS_MAX):
            if self._launch():
                return
            if fresh:  # later, clients know the port: it stays, and is tried again
                self._port = _free_port()
        raise RuntimeError(f"PostgreSQL found no free port:\n{self.log_tail()}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server in one of PostgreSQL's ways; nothing happens when it is not running.

        Raises subprocess.TimeoutExpired when it does not end, as with smart and an open session.
        """
        if self._postmaster is None:
            return
        if self.is_running:
            self._postmaster.send_signal(_SIGNALS[mode])
        self._postmaster.wait(self._timeout_s)
        self._forget_postmaster()

    def kill(self) -> None:
        """End every process of the server at once with SIGKILL, as a crash does."""
        if self._postmaster is None:
            return
        children: list[psutil.Process] = []
        if self.is_running:
            children = psutil.Process(self._postmaster.pid).children(recursive=True)
        # The main process goes first: it would restart the others.
        self._postmaster.kill()
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        self._postmaster.wait(self._timeout_s)
        self._forget_postmaster()
        # A survivor keeps the shared memory, and the next start refuses to share it.
        _wait_until_dead(children, timeout_s=self._timeout_s)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same port with the same data."""
        self.stop(mode)
        self.start()

    def remove(self) -> None:
        """Stop the server and delete everything it wrote; harmless when repeated."""
        atexit.unregister(self.remove)
        if self._base is None or os.getpid() != self._owner_pid:  # a fork owns nothing
            return
        try:
            self.stop("immediate")
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self._base, ignore_errors=True)
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait(self._timeout_s)
        self._base = self._watchdog = None

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's URL of one database."""
        return self.databases.url(database)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        return self.databases.create_database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its connections."""
        self.databases.drop_database(name)

    def dump(self, path: Path, *, database: str) -> None:
        """Write one database to `path` in pg_dump's custom format."""
        self._run_client("pg_dump", "--format=custom", f"--file={path}", self.url(database))

    def restore(self, path: Path, *, database: str) -> None:
        """Read a dump into an existing, empty database; all or nothing."""
        self._run_client(
            "pg_restore",
            "--exit-on-error",
            "--single-transaction",
            "--no-owner",
            f"--dbname={self.url(database)}",
            str(path),
        )

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the server's log."""
        log = self._directory / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _directory(self) -> Path:
        if self._base is None:
            raise RuntimeError("the server was never started, or is removed: call start()")
        return self._base

    def _create_cluster(self) -> None:
        self._binaries = ensure_installed()
        self._base = _temporary_directory()
        atexit.register(self.remove)
        self._watchdog = self._spawn(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._base)], stdin=subprocess.PIPE
        )
        password_file = self._base / "password"
        password_file.write_text(self._password)
        _give_away(password_file)
        (self._base / "log").touch()
        initdb = self._spawn(
            [
                str(self._binaries / "initdb"),
                f"--pgdata={self._base / 'data'}",
                "--username=postgres",
                # scram-sha-256 is slow by design; thousands of connections here take twice as long.
                "--auth=md5",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--no-instructions",
            ]
        )
        if initdb.wait(self._timeout_s) != 0:
            raise RuntimeError(f"initdb failed:\n{self.log_tail()}")

    def _launch(self) -> bool:
        """Start the main process; False when its port was taken by somebody else."""
        assert self._binaries is not None
        settings = self._settings | {
            "port": str(self._port),
            "unix_socket_directories": str(self._directory),
        }
        words = [str(self._binaries / "postgres"), "-D", str(self._directory / "data")]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        self._postmaster = self._spawn(words)
        (self._directory / "running").write_text(str(self._postmaster.pid))
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            if self._postmaster.poll() is not None:
                self._forget_postmaster()
                if "could not create any TCP/IP sockets" in self.log_tail():
                    return False
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log_tail()}")
            if self._answers():
                return True
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"PostgreSQL did not answer in time:\n{self.log_tail()}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _forget_postmaster(self) -> None:
        self._postmaster = None
        # Its number may be given to a stranger from now on; the watchdog must not know it.
        (self._directory / "running").unlink(missing_ok=True)

    def _spawn(self, words: Sequence[str], *, stdin: int = subprocess.DEVNULL) -> "_Process":
        user = _server_user()
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                words,
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
                # Ctrl-C is for the tests; the server is stopped when they have ended.
                start_new_session=True,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )

    def _run_client(self, program: str, *arguments: str) -> None:
        assert self._binaries is not None
        done = subprocess.run(
            [self._binaries / program, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")


_Process = subprocess.Popen[bytes]


def _wait_until_dead(processes: Sequence[psutil.Process], *, timeout_s: float) -> None:
    """Wait for orphans; a zombie counts as dead, for it waits only for init to look at it."""
    deadline = time.monotonic() + timeout_s
    for process in processes:
        while time.monotonic() < deadline:
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    break
            except psutil.NoSuchProcess:
                break
            time.sleep(0.005)


def _server_user() -> pwd.struct_passwd | None:
    """Return whom to become: PostgreSQL refuses to run as root. None: stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresUnavailable("running as root, and neither user postgres nor nobody exists")


def _give_away(path: Path) -> None:
    user = _server_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _temporary_directory() -> Path:
    """Create a directory the server's user owns and can reach."""
    # Root's TMPDIR may lie below a directory that only root may enter.
    parent = tempfile.gettempdir() if os.geteuid() != 0 else "/tmp"  # noqa: S108  # mkdtemp below
    path = Path(tempfile.mkdtemp(prefix="ledger-pg-", dir=parent))
    _give_away(path)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command beside a server; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.postgres")
    parser.add_argument("--ensure", action="store_true", help="only install PostgreSQL if missing")
    parser.add_argument("--durable", action="store_true", help="flush every commit")
    parser.add_argument("command", nargs="*", help="after --, the command to run")
    options = parser.parse_args(arguments)
    if os.environ.get(URL_VARIABLE):  # somebody else's server, which is theirs to start
        return 0 if options.ensure else subprocess.call(options.command)
    try:
        ensure_installed()
    except PostgresUnavailable as error:
        print(f"PostgreSQL cannot be had: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    if options.ensure:
        return 0
    # Without this a terminated run would leave its command running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with PostgresServer(durable=options.durable) as server:
        environment = os.environ | {URL_VARIABLE: server.url()}
        return subprocess.run(options.command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
