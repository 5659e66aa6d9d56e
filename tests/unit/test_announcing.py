"""What watchers say where nobody listens."""

import logging

import pytest

from ledger import BackendUnavailable, RetryableError
from projections import ProjectionFailed
from projections.engine.announcing import Announcer


def test_an_outage_is_logged_as_it_begins_and_as_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "projections")
    announcer = Announcer[ProjectionFailed](None, None)
    announcer.reached()
    for _ in range(2):
        for _ in range(3):
            announcer.out(BackendUnavailable("The server is restarting."))
        announcer.reached()
        announcer.reached()
    assert [one.levelname for one in caplog.records] == ["WARNING", "INFO"] * 2
    assert "The server is restarting." in caplog.records[0].getMessage()


def test_whoever_asked_is_told_of_every_try_and_nothing_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "projections")
    told: list[RetryableError] = []
    failures: list[ProjectionFailed] = []
    announcer = Announcer(failures.append, told.append)
    outage = BackendUnavailable("The server is restarting.")
    failure = ProjectionFailed("runs", 1, 0, 7, "e7", "broken")
    announcer.out(outage)
    announcer.out(outage)
    announcer.reached()
    announcer.failed(failure)
    announcer.unheard(failure)
    assert (told, failures, caplog.records) == ([outage, outage], [failure], [])


def test_what_an_agent_wrote_is_not_logged_as_it_came(caplog: pytest.LogCaptureFixture) -> None:
    failure = ProjectionFailed("runs", 1, 0, 7, "e7", "bad \x1b[2J")
    try:
        raise ValueError("bad \x1b[2J")
    except ValueError as error:
        failure.__cause__ = error
    announcer = Announcer[ProjectionFailed](None, None)
    announcer.failed(failure)
    assert caplog.records == []  # whoever called has it as an answer
    announcer.unheard(failure)
    [record] = caplog.records
    assert "\x1b" not in record.getMessage() + str(record.exc_info)
    assert __file__ in record.getMessage()
