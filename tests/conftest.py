"""What every test may ask for."""

import gc
import signal
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.support.postgres_plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """Let the tests run as they should whatever runs them, on however slow a machine."""
    # A shell without job control ignores SIGINT for what it runs in the background, and children
    # inherit that; tests interrupt the processes that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.pluginmanager.hasplugin("hypothesispytest"):
        _give_examples_time()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from going through all tests again and again.

    Behind them are half a million objects, none of which goes before the end: it took half the
    time of collecting tests, and a fifteenth of running them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()  # what is lost by now would be frozen, and never warn of what it left open
        gc.freeze()
        gc.enable()


def _give_examples_time() -> None:
    """Let no example fail because it took long: a machine may stall in the middle of any."""
    from hypothesis import HealthCheck, settings  # takes longer than some runs

    default = settings()
    settings.register_profile(
        "patient",
        default,
        deadline=None,
        suppress_health_check=[*default.suppress_health_check, HealthCheck.too_slow],
    )
    settings.load_profile("patient")
