"""An application of the eventsourcing library on the ledger: nothing of it changes but its place."""

import os
from tempfile import TemporaryDirectory
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection, ProjectionRunner

from ledger import Ledger, NewEvent
from projections.eventsourcing import Edit, LedgerTrackingRecorder, view_table

os.environ["PERSISTENCE_MODULE"] = "projections.eventsourcing"
folder = TemporaryDirectory()
URL = os.environ["LEDGER_URL"] = f"sqlite:///{folder.name}/dogs.db"


class Dog(Aggregate):
    def __init__(self) -> None:
        self.tricks = list[str]()

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class Trick(msgspec.Struct, frozen=True):
    name: str
    dogs: int


class Tricks(LedgerTrackingRecorder):  # the view: a table in the same database
    tables = (tricks := view_table("tricks", Trick, ("name",)),)


class CountTricks(Projection[Tricks]):
    def process_event(self, event: object, tracking: Tracking) -> None:
        name: str = getattr(event, "trick", "")
        add = Edit(Tricks.tricks, (name,), lambda row: Trick(name, row.dogs + 1 if row else 1))
        self.view.change(tracking, *([add] if name else []))


runner = ProjectionRunner(  # it follows our log
    application_class=Application[UUID], projection_class=CountTricks, view_class=Tricks
)
with folder, runner, Ledger.open(URL) as ledger:
    dog = Dog()
    dog.add_trick("roll over")
    runner.wait(runner.app.save(dog)[-1].notification.id)
    print("their projection, our table:", runner.view.rows(Tricks.tricks))

    # The aggregate is a session. Other facts may join it, and the application goes on.
    ledger.append(str(dog.id), NewEvent({"text": "good dog"}, "note"), tenant=runner.app.name)
    dog.add_trick("play dead")
    runner.app.save(dog)
    facts = ledger.read(str(dog.id), tenant=runner.app.name)
    print([(fact.sequence, fact.type) for fact in facts])
