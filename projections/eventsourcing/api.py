"""Everything this package uses of the eventsourcing library, and its only import of it.

Importing it changes the process: `dataclasses` is patched and psycopg's loggers are silenced. So
nothing outside this package imports this package; an import contract holds both rules.
"""

from __future__ import annotations

from eventsourcing.domain import DomainEventProtocol, TAggregateID
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    DatabaseError,
    DataError,
    InfrastructureFactory,
    IntegrityError,
    InterfaceError,
    InternalError,
    Mapper,
    Notification,
    OperationalError,
    ProcessRecorder,
    ProgrammingError,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

__all__ = [
    "AggregateRecorder",
    "ApplicationRecorder",
    "DataError",
    "DatabaseError",
    "DomainEventProtocol",
    "EnvType",
    "Environment",
    "InfrastructureFactory",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Mapper",
    "Notification",
    "OperationalError",
    "ProcessRecorder",
    "ProgrammingError",
    "StoredEvent",
    "Subscription",
    "TAggregateID",
    "Tracking",
    "TrackingRecorder",
    "Transcoder",
    "resolve_topic",
    "strtobool",
]
