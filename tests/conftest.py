"""What every test may ask for."""

import signal

pytest_plugins = ["tests.support.postgres_plugin"]


def pytest_configure() -> None:
    """Undo that SIGINT is ignored, so that tests can interrupt the processes that they start.

    A shell without job control ignores it for what it runs in the background; children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
