"""An application's ledger, exported and imported: it serves the application where it arrives."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.projection import EventSourcedProjectionRunner
from eventsourcing.tests.projection import Counters
from eventsourcing.utils import get_topic

from ledger import Ledger
from tests.eventsourcing.homes import MODULE
from tests.support.builders import DEADLINE_S, on_durable


class Dog(Aggregate):
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class Dogs(Application[UUID]):
    is_snapshotting_enabled = True


@on_durable
@pytest.mark.parametrize("more", [{}, {"COMPRESSOR_TOPIC": get_topic(ZlibCompressor)}])
def test_an_imported_ledger_serves_the_application(
    url: str, tmp_path: Path, more: dict[str, str]
) -> None:
    env = {"PERSISTENCE_MODULE": MODULE, **more}
    with Dogs(env=env | {"LEDGER_URL": url}) as app:
        dog = Dog("Fido")
        dog.add_trick("roll over")
        app.save(dog)
        app.take_snapshot(dog.id)
        dog.add_trick("play dead")
        app.save(dog, Dog("Rex"))
        factory: Any = app.factory
        lines = list(factory.ledger.export_lines())

    there = f"sqlite:///{tmp_path}/imported.db"
    with Ledger.open(there) as ledger:
        ledger.import_lines(lines)
    with Dogs(env=env | {"LEDGER_URL": there}) as app:
        copy: Dog = app.repository.get(dog.id)
        assert (copy.name, copy.tricks, copy.version) == ("Fido", ["roll over", "play dead"], 3)
        copy.add_trick("fetch")
        assert app.save(copy)[-1].notification.id == 5
        dog.add_trick("bark")
        with pytest.raises(IntegrityError):
            app.save(dog)
        assert [n.id for n in app.notification_log.select(1, 10)] == [1, 2, 3, 4, 5]
        factory = app.factory
        assert factory.ledger.verify().ok
        again = list(factory.ledger.export_lines())
    assert again[: len(lines) - 1] == lines[:-1]


@on_durable
def test_a_process_applications_tracking_moves_with_its_events(url: str, tmp_path: Path) -> None:
    env = {"PERSISTENCE_MODULE": MODULE}
    counters = {"application_class": Application, "projection_class": Counters}
    with EventSourcedProjectionRunner(**counters, env=env | {"LEDGER_URL": url}) as runner:
        runner.wait(runner.app.save(Aggregate())[-1].notification.id, timeout=DEADLINE_S)
        factory: Any = runner.app.factory
        lines = list(factory.ledger.export_lines())
    there = f"sqlite:///{tmp_path}/imported.db"
    with Ledger.open(there) as ledger:
        ledger.import_lines(lines)
    with EventSourcedProjectionRunner(**counters, env=env | {"LEDGER_URL": there}) as runner:
        recorder = runner.projection.recorder
        assert recorder.max_tracking_id(Application.name) == 1
        with pytest.raises(IntegrityError):
            recorder.insert_events([], tracking=Tracking(Application.name, 1))
        runner.wait(runner.app.save(Aggregate())[-1].notification.id, timeout=DEADLINE_S)
        assert runner.projection.get_count(Aggregate.Created) == 2
