"""The wheel's test cases on SQLite; `cases` says which of them are left out, and why."""

from tests.eventsourcing import cases
from tests.eventsourcing.homes import OnSqlite


class TestAggregateRecorder(OnSqlite, cases.AggregateRecorder):
    pass


class TestSnapshotRecorder(OnSqlite, cases.SnapshotRecorder):
    pass


class TestApplicationRecorder(OnSqlite, cases.ApplicationRecorder):
    pass


class TestNonInterleavingNotificationIDs(OnSqlite, cases.NonInterleavingNotificationIDs):
    pass


class TestTrackingRecorder(OnSqlite, cases.TrackingRecorder):
    pass


class TestProcessRecorder(OnSqlite, cases.ProcessRecorder):
    pass


class TestProcessRecorderAsApplicationRecorder(
    OnSqlite, cases.ProcessRecorderAsApplicationRecorder
):
    pass


class TestProcessRecorderAsTrackingRecorder(OnSqlite, cases.ProcessRecorderAsTrackingRecorder):
    pass


class TestFactory(OnSqlite, cases.Factory):
    pass


class TestExampleApplication(OnSqlite, cases.ExampleApplication):
    pass


class TestApplication(OnSqlite, cases.Application):
    pass


class TestView(OnSqlite, cases.View):
    pass


class TestProjection(OnSqlite, cases.Projection):
    pass


class TestEventSourcedProjection(OnSqlite, cases.EventSourcedProjection):
    pass


class TestTaggedDecisionProjection(OnSqlite, cases.TaggedDecisionProjection):
    pass
