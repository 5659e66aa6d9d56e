"""The wheel's test cases in memory; `cases` says which of them are left out, and why."""

from tests.eventsourcing import cases
from tests.eventsourcing.homes import OnMemory


class TestAggregateRecorder(OnMemory, cases.AggregateRecorder):
    pass


class TestSnapshotRecorder(OnMemory, cases.SnapshotRecorder):
    pass


class TestApplicationRecorder(OnMemory, cases.ApplicationRecorder):
    pass


class TestNonInterleavingNotificationIDs(OnMemory, cases.NonInterleavingNotificationIDs):
    pass


class TestTrackingRecorder(OnMemory, cases.TrackingRecorder):
    pass


class TestProcessRecorder(OnMemory, cases.ProcessRecorder):
    pass


class TestProcessRecorderAsApplicationRecorder(
    OnMemory, cases.ProcessRecorderAsApplicationRecorder
):
    pass


class TestProcessRecorderAsTrackingRecorder(OnMemory, cases.ProcessRecorderAsTrackingRecorder):
    pass


class TestFactory(OnMemory, cases.Factory):
    pass


class TestExampleApplication(OnMemory, cases.ExampleApplication):
    pass


class TestApplication(OnMemory, cases.Application):
    pass


class TestView(OnMemory, cases.View):
    pass


class TestProjection(OnMemory, cases.Projection):
    pass


class TestEventSourcedProjection(OnMemory, cases.EventSourcedProjection):
    pass


class TestTaggedDecisionProjection(OnMemory, cases.TaggedDecisionProjection):
    pass
