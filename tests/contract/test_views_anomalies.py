"""No fact is lost without a mark: every type of the catalogue where nothing was known before it."""

from typing import Any, Literal, get_args, get_origin

import pytest

from ledger import Append, NewEvent
from ledger.catalogue import FACTS, Fact
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("all_views")

#: Written by calls of their own: what they say is always so.
BY_CALLS = {"session.deleted", "session.forked"}
#: What may be the first that is known of a session: it says what it is about, or stands alone.
BEGINNINGS = {
    *("session.created", "message.appended", "message.streamed", "turn.started", "turn.finished"),
    *("turn.analysed", "tool.started", "span.started", "trace.appended", "qa.recorded"),
    *("approval.requested", "policy.violated", "plan.updated", "artifact.registered"),
    *("context.put", "context.served", "graph_context.set", "snapshot.saved", "checkpoint.saved"),
    *("scenario.started", "rule.fired", "variable.set", "migration.plan_recorded"),
    *("migration.marked", "consumer.offset_advanced", "progress.reported", "audit.recorded"),
    *("error.occurred", "error.recovered", "store.pruned", "workspace.snapshot_taken"),
    *("workspace.diff_computed", "workspace.rolled_back", "usage.recorded", "feedback.given"),
}
#: What names several that are missing, or takes one out of a set: so it is afterwards.
TAKING_AWAY = {"context.deleted", "content.redacted", "variable.unset"}
#: Speaks of its run as of something known, and only if it names one.
OF_A_RUN = {"usage.recorded", "feedback.given"}
ENDS = {
    *("session.closed", "session.status_changed", "run.finished", "run.failed", "run.cancelled"),
    *("run.timed_out", "turn.finished", "tool.finished", "tool.failed", "span.finished"),
    *("trace.appended", "scenario.completed", "scenario.cancelled", "scenario.exited"),
    *("approval.decided", "approval.revoked", "artifact.deleted", "message.deleted", "qa.deleted"),
    *("feedback.cleared", "snapshot.deleted", "migration.cleared"),
}
#: Where the smallest fact would not do.
SAID: dict[str, dict[str, Any]] = {
    "session.status_changed": {"status": "closed"},
    "feedback.cleared": {"qa_id": "x"},
    "trace.appended": {"origin_function": "x", "status": "ok", "step_id": "x"},
}


def smallest(model: type[Fact]) -> dict[str, Any]:
    """What a fact of this type has to say."""
    return {
        name: value_of(field.annotation)
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def value_of(hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is list:
        return [value_of(get_args(hint)[0])]
    return {int: 1, str: "x"}.get(get_args(hint)[0] if get_origin(hint) else hint)


def test_a_fact_of_any_type_fits_by_a_written_rule_or_is_marked(ledger: Any) -> None:
    assert value_of(list[str]) == ["x"]
    types = {model.event_type: model for model in FACTS if model.event_type not in BY_CALLS}
    fitting, unmarked_again = {}, {}
    appends = []
    for name, model in types.items():
        payload = SAID.get(name) or smallest(model)
        for run_id in (None, "r"):
            session_id = f"{name} {run_id}"
            appends.append(
                Append(session_id, [NewEvent(payload, name, run_id=run_id) for _ in range(2)])
            )
            fits = name in BEGINNINGS | TAKING_AWAY and not (run_id and name in OF_A_RUN)
            fitting[session_id] = fits
            unmarked_again[session_id] = name not in ENDS
    ledger.append_many(appends)
    views = views_of(ledger)
    marked: dict[str, set[int]] = {session_id: set() for session_id in fitting}
    for one in views.anomalies(limit=10_000):
        marked[one.session_id].add(one.sequence)
    assert {key for key, found in marked.items() if 1 not in found} == {
        key for key, fits in fitting.items() if fits
    }
    again = {key for key, found in marked.items() if 2 not in found}
    assert {key for key in again if not unmarked_again[key]} == set()


def test_a_run_fact_without_a_run_is_marked_where_the_session_is_known(ledger: Any) -> None:
    names = [
        *("run.created", "run.started", "run.finished", "run.failed", "run.cancelled"),
        *("run.timed_out", "run.amended"),
    ]
    ledger.append("s", NewEvent({"status": "active"}, "session.created"))
    for name in names:
        ledger.append("s", NewEvent({}, name))
    ledger.append("s", NewEvent({}, "feedback.cleared"))
    ledger.append("s", [NewEvent({}, "session.closed"), NewEvent({}, "run.finished")])
    views = views_of(ledger)
    assert views.runs("s") == []
    found = [(one.view, one.sequence, one.type, one.reason) for one in views.anomalies("s")]
    nowhere = "applied to no run, it names none"
    assert found == [
        *(("sessions", number, name, nowhere) for number, name in enumerate(names, 2)),
        ("sessions", 9, "feedback.cleared", "applied to nothing, it names neither answer nor run"),
        ("sessions", 11, "run.finished", nowhere),
    ]
    assert views.session("s").run_count == 1


def test_an_unknown_run_of_an_unknown_session_is_marked_in_both(ledger: Any) -> None:
    for name in ("run.failed", "run.cancelled", "run.timed_out"):
        ledger.append(name, NewEvent({}, name, run_id="r"))
    ledger.append("used", NewEvent({"model": "m", "input_tokens": 3}, "usage.recorded", run_id="r"))
    views = views_of(ledger)
    for name in ("run.failed", "run.cancelled", "run.timed_out"):
        found = [(one.view, one.row_key, one.reason) for one in views.anomalies(name)]
        assert found == [
            ("runs", ("r",), "applied, nobody had seen the run"),
            ("sessions", (), "applied, nobody had seen the session"),
        ]
        assert views.run(name, "r").status == {"run.timed_out": "timeout"}.get(name, name[4:])
    [used] = views.anomalies("used")
    assert (used.view, used.reason) == ("runs", "applied, nobody had seen the run")
    assert views.run("used", "r").token_usage == {"input_tokens": 3}
