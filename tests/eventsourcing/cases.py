"""The wheel's own test cases, given recorders and nothing else: what they do is untouched.

Left out, because what they test is not here:

`DCBRecorderTestCase` wants a DCBRecorder, which appends and reads events that belong to no
aggregate, by tags, with a query as the condition of an append. An `Application` never asks its
persistence module for one, and an event of the ledger belongs to one session; `test_application`
holds what a DCBApplication is told. Its projection is in: events from the library's module, the
view from ours.

`TranscoderTestCase` wants a Transcoder that marks subclasses of dict, list, str, int and tuples,
which the library's JSONTranscoder, the one in use, does not do either. What our mapper makes of
its output is in `test_mapping`.
"""

from typing import Any

import msgspec
import pytest
from eventsourcing.dcb.msgpack import MessagePackMapper
from eventsourcing.persistence import Tracking
from eventsourcing.tests import application, persistence, projection
from eventsourcing.utils import Environment, get_topic

from projections.eventsourcing import (
    Edit,
    LedgerAggregateRecorder,
    LedgerApplicationRecorder,
    LedgerFactory,
    LedgerProcessRecorder,
    LedgerTrackingRecorder,
    view_table,
)


class Counter(msgspec.Struct, frozen=True):
    kind: str
    count: int


COUNTERS = view_table("event_counters", Counter, ("kind",))


class CountersView(LedgerTrackingRecorder, projection.EventCountersView):
    """The wheel's example of a view, as a user would write it on the ledger."""

    tables = (COUNTERS,)

    def get_created_event_counter(self) -> int:
        return self._count("created")

    def get_subsequent_event_counter(self) -> int:
        return self._count("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    def _count(self, kind: str) -> int:
        row = self.row(COUNTERS, (kind,))
        return row.count if row else 0

    def _increment(self, kind: str, tracking: Tracking) -> None:
        def incremented(row: Counter | None) -> Counter:
            return Counter(kind, 1 + (row.count if row else 0))

        self.change(tracking, Edit(COUNTERS, (kind,), incremented))


class AggregateRecorder(persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.make_factory().aggregate_recorder()


class SnapshotRecorder(persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.make_factory().aggregate_recorder(purpose="snapshots")


class ApplicationRecorder(persistence.ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> Any:
        return self.make_factory().application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class NonInterleavingNotificationIDs(persistence.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> Any:
        return self.make_factory().application_recorder()


class TrackingRecorder(persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.make_factory().tracking_recorder()


class ProcessRecorder(persistence.ProcessRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.make_factory().process_recorder()


class ProcessRecorderAsApplicationRecorder(ApplicationRecorder):
    def create_recorder(self) -> Any:
        return self.make_factory().process_recorder()


class ProcessRecorderAsTrackingRecorder(TrackingRecorder):
    def create_recorder(self) -> Any:
        return self.make_factory().process_recorder()


class Factory(persistence.InfrastructureFactoryTestCase[LedgerFactory]):
    def setUp(self) -> None:
        self.env = Environment("TestCase", self.env)
        super().setUp()

    def expected_factory_class(self) -> Any:
        return LedgerFactory

    def expected_aggregate_recorder_class(self) -> Any:
        return LedgerAggregateRecorder

    def expected_application_recorder_class(self) -> Any:
        return LedgerApplicationRecorder

    def expected_tracking_recorder_class(self) -> Any:
        return LedgerTrackingRecorder

    def tracking_recorder_subclass(self) -> Any:
        return CountersView

    def expected_process_recorder_class(self) -> Any:
        return LedgerProcessRecorder


class ExampleApplication(application.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(LedgerFactory)


# One of them asserts that the old name warns, which it cannot where the warning is an error.
@pytest.mark.filterwarnings("default:'log' is deprecated:DeprecationWarning")
class Application(application.ApplicationTestCase):
    pass


class View(projection.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> Any:
        return self.make_factory().tracking_recorder(CountersView)


class Projection(projection.AggregateEventCountersProjectionTestCase):
    view_class = CountersView


class EventSourcedProjection(projection.EventSourcedProjectionTestCase):
    pass


class TaggedDecisionProjection(projection.TaggedDecisionCountersProjectionTestCase):
    view_class = CountersView

    def setUp(self) -> None:
        self.env |= {
            "DCBAPPLICATION_PERSISTENCE_MODULE": "eventsourcing.dcb.popo",
            "MAPPER_TOPIC": get_topic(MessagePackMapper),
        }
