"""What watchers say where nobody listens."""

import logging

import pytest

from ledger import BackendUnavailable, RetryableError
from projections import HandlerFailed, ProjectionFailed
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
    assert [one.levelname for one in caplog.records] == ["WARNING"] * 4
    said = [one.getMessage() for one in caplog.records]
    assert "The server is restarting." in said[0]
    assert said[1::2] == ["It works again."] * 2


def test_an_event_that_is_tried_again_and_again_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    announcer = Announcer[HandlerFailed](None, None)
    for position in (7, 7, 7, 8, 8):
        for bucket in (0, 1):
            announcer.unheard(HandlerFailed("notify", 1, bucket, position, "e", "no route"))
    assert len(caplog.records) == 4


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
