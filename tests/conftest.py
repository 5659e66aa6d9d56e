"""What every test may ask for."""

import signal

pytest_plugins = ["tests.support.postgres_plugin"]


def pytest_configure() -> None:
    """Hear Ctrl-C, as every process that a test starts and interrupts does then, too.

    Who is started in the background by a shell without job control ignores it, and so would they.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
