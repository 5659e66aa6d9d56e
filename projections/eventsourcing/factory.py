"""The factory: from an application's environment to recorders on one ledger."""

from __future__ import annotations

import weakref
from typing import Protocol, TypeVar

from ledger import InvalidArgument, Ledger

from .api import (
    AggregateRecorder,
    ApplicationRecorder,
    Environment,
    EnvType,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
    ProgrammingError,
    TAggregateID,
    Transcoder,
    resolve_topic,
    strtobool,
)
from .errors import translated
from .mapping import LedgerMapper
from .processing import LedgerProcessRecorder
from .recording import LedgerAggregateRecorder, LedgerApplicationRecorder
from .snapshots import LedgerSnapshotRecorder
from .tracking import LedgerTrackingRecorder


class _WithTables(Protocol):
    def create_tables(self) -> None: ...


Made = TypeVar("Made", bound=_WithTables)
T = TypeVar("T")


class LedgerFactory(InfrastructureFactory[LedgerTrackingRecorder]):
    """Opens the ledger that the environment names and makes the recorders of one application.

    `LEDGER_URL` is the ledger; `memory:` is one of the factory's own. `LEDGER_SCHEMA` is its schema
    on PostgreSQL, `LEDGER_TENANT` the tenant of the application's events: the application's name
    if nothing is said, so that several share a ledger. `CREATE_TABLE=n` leaves view tables to
    whoever may create them.
    """

    LEDGER_URL = "LEDGER_URL"
    LEDGER_SCHEMA = "LEDGER_SCHEMA"
    LEDGER_TENANT = "LEDGER_TENANT"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.LEDGER_URL)
        if not url:
            keys = ", ".join(self.env.create_keys(self.LEDGER_URL))
            raise OSError(f"The ledger's URL is not in the environment: {keys}")
        self.tenant = self.env.get(self.LEDGER_TENANT, self.env.name)
        #: for everything that a recorder cannot do: read, follow, verify, export
        self.ledger = _open(url, self.env.get(self.LEDGER_SCHEMA, "ledger"))

    def mapper(
        self,
        transcoder: Transcoder | None = None,
        mapper_class: type[Mapper[TAggregateID]] | None = None,
    ) -> Mapper[TAggregateID]:
        """Return a mapper, with LedgerMapper as the class if neither call nor `MAPPER_TOPIC` does.

        Any other one works too; the states it makes may be stored as opaque bytes.
        """
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC):
            mapper_class = LedgerMapper[TAggregateID]
        return super().mapper(transcoder, mapper_class)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Return a recorder of events, or for any other purpose one of snapshots."""
        if purpose == "events":
            return LedgerAggregateRecorder(self.ledger, self.tenant)
        return self._ready(LedgerSnapshotRecorder(self.ledger, self.tenant, purpose))

    def application_recorder(self) -> ApplicationRecorder:
        """Return a recorder of the application's sequence."""
        recorder = self._class(self.APPLICATION_RECORDER_TOPIC, LedgerApplicationRecorder)
        return recorder(self.ledger, self.tenant)

    def tracking_recorder(
        self, tracking_recorder_class: type[LedgerTrackingRecorder] | None = None
    ) -> LedgerTrackingRecorder:
        """Return a projection's view, of the given class, with its tables made."""
        found = tracking_recorder_class or self._class(
            self.TRACKING_RECORDER_TOPIC, LedgerTrackingRecorder
        )
        if not issubclass(found, LedgerTrackingRecorder):
            raise TypeError(f"{found.__qualname__} is no {LedgerTrackingRecorder.__name__}")
        return self._ready(found(self.ledger, self.env.name))

    def process_recorder(self) -> ProcessRecorder:
        """Return a recorder of an application that processes events of others."""
        recorder = self._class(self.PROCESS_RECORDER_TOPIC, LedgerProcessRecorder)
        return recorder(self.ledger, self.tenant)

    def close(self) -> None:
        """Close the ledger, which ends its subscriptions."""
        self.ledger.close()

    def _class(self, topic_variable: str, base: type[T]) -> type[T]:
        topic = self.env.get(topic_variable)
        if not topic:
            return base
        found: type[T] = resolve_topic(topic)
        if not issubclass(found, base):
            raise TypeError(f"{topic_variable}: {topic} is no {base.__name__}")
        return found

    def _ready(self, recorder: Made) -> Made:
        if strtobool(self.env.get(self.CREATE_TABLE) or "yes"):
            recorder.create_tables()
        return recorder


def _open(url: str, schema: str) -> Ledger:
    with translated():
        try:
            ledger = Ledger.open(url, schema=schema, buckets=1)
        except InvalidArgument as error:
            if error.argument != "buckets":
                raise
            # With several there is no single order that notification ids could be.
            problem = "This ledger has several buckets: name another LEDGER_SCHEMA or database."
            raise ProgrammingError(problem) from error
    # The library's ProjectionRunner drops the factory of its view, and nobody can close that.
    # Recorders hold the ledger, so it is closed when the last of them is gone.
    weakref.finalize(ledger, ledger.backend.close)
    return ledger
