"""The wheel's test cases on PostgreSQL; `cases` says which of them are left out, and why."""

from tests.eventsourcing import cases
from tests.eventsourcing.homes import OnPostgres


class TestAggregateRecorder(OnPostgres, cases.AggregateRecorder):
    pass


class TestSnapshotRecorder(OnPostgres, cases.SnapshotRecorder):
    pass


class TestApplicationRecorder(OnPostgres, cases.ApplicationRecorder):
    pass


class TestNonInterleavingNotificationIDs(OnPostgres, cases.NonInterleavingNotificationIDs):
    pass


class TestTrackingRecorder(OnPostgres, cases.TrackingRecorder):
    pass


class TestProcessRecorder(OnPostgres, cases.ProcessRecorder):
    pass


class TestProcessRecorderAsApplicationRecorder(
    OnPostgres, cases.ProcessRecorderAsApplicationRecorder
):
    pass


class TestProcessRecorderAsTrackingRecorder(OnPostgres, cases.ProcessRecorderAsTrackingRecorder):
    pass


class TestFactory(OnPostgres, cases.Factory):
    pass


class TestExampleApplication(OnPostgres, cases.ExampleApplication):
    pass


class TestApplication(OnPostgres, cases.Application):
    pass


class TestView(OnPostgres, cases.View):
    pass


class TestProjection(OnPostgres, cases.Projection):
    pass


class TestEventSourcedProjection(OnPostgres, cases.EventSourcedProjection):
    pass


class TestTaggedDecisionProjection(OnPostgres, cases.TaggedDecisionProjection):
    pass
