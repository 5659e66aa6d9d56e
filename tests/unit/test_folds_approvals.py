"""What the views of approvals, allowed actions, violations and artifacts say after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalRevoked,
    ArtifactDeleted,
    ArtifactRegistered,
    PolicyViolated,
)
from projections.folds.allowed_actions import ALLOWED_ACTIONS, AllowedAction
from projections.folds.anomalies import Anomaly
from projections.folds.approvals import APPROVALS, Approval
from projections.folds.artifacts import ARTIFACTS, Artifact, key_digest
from projections.folds.violations import VIOLATIONS, Violation
from tests.support.folds import at, event_of, events_of, fold, only

ASKED = ApprovalRequested(
    approval_id="a", title="Delete?", action_key="rm", risk_level="destructive", raw={"n": 1}
)
DENIED = ApprovalDecided(approval_id="a", decision="deny", reason="no")
ALLOWED = ApprovalDecided(approval_id="a", decision="allow_always", action_key="rm", tool_name="sh")


def common(last: int, **fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
    }
    return usual | fields


def approval(last: int, **fields: Any) -> Approval:
    times = {"created_at": at(1), "updated_at": at(last)}
    return Approval(**common(last, approval_id="a", **times) | fields)


WANTED: dict[str, Any] = {
    "title": "Delete?",
    "action_key": "rm",
    "risk_level": "destructive",
    "raw": {"n": 1},
    "requested_at": at(1),
}


def test_an_approval_waits_until_it_is_decided() -> None:
    assert only(APPROVALS, events_of(ASKED)) == approval(1, **WANTED)
    by_whom = [event_of(ASKED, actor="agent"), event_of(DENIED, 2, actor="human")]
    assert only(APPROVALS, by_whom) == approval(
        2,
        **WANTED,
        status="deny",
        reason="no",
        requested_by="agent",
        decided_by="human",
        decided_at=at(2),
    )


def test_the_first_decision_stands() -> None:
    row = only(APPROVALS, events_of(ASKED, DENIED, ALLOWED))
    assert (row.status, row.decided_at, row.reason) == ("deny", at(2), "no")
    reason = "ignored, it was decided already: deny"
    assert row.anomalies == [Anomaly(3, "approval.decided", reason)]


def test_a_decision_that_nobody_asked_for_is_kept_and_filled_by_a_late_request() -> None:
    assert only(APPROVALS, events_of(DENIED, ASKED, ASKED)) == approval(
        3,
        **WANTED | {"requested_at": at(2)},
        status="deny",
        reason="no",
        decided_at=at(1),
        anomaly_count=2,
        anomalies=[
            Anomaly(1, "approval.decided", "applied, nobody had asked"),
            Anomaly(3, "approval.requested", "asked before: only fills what is empty"),
        ],
    )


def test_an_action_may_be_allowed_always_before_anybody_asks() -> None:
    row = only(APPROVALS, events_of(ALLOWED, ASKED))
    assert (row.status, row.action_key, row.title) == ("allow_always", "rm", "Delete?")
    assert (row.requested_at, row.decided_at, row.anomalies) == (at(2), at(1), [])


def test_an_action_is_allowed_until_it_is_revoked() -> None:
    first = common(1, action_key="rm", approval_id="a", tool_name="sh", allowed_at=at(1))
    assert only(ALLOWED_ACTIONS, events_of(ALLOWED)) == AllowedAction(**first)
    revoked = ApprovalRevoked(action_key="rm", reason="too much")
    row = AllowedAction(
        **first | common(3),
        revoked_at=at(2),
        revoked_reason="too much",
        anomaly_count=1,
        anomalies=[Anomaly(3, "approval.revoked", "ignored, it was revoked already")],
    )
    assert only(ALLOWED_ACTIONS, events_of(ALLOWED, revoked, revoked)) == row
    again = only(ALLOWED_ACTIONS, events_of(ALLOWED, revoked, ALLOWED))
    assert (again.allowed_at, again.revoked_at, again.first_sequence) == (at(3), None, 1)


@pytest.mark.parametrize(
    "fact",
    [
        ApprovalDecided(approval_id="a", decision="allow_always"),
        ApprovalDecided(approval_id="a", decision="allow_once", action_key="rm"),
    ],
)
def test_nothing_else_allows_an_action(fact: Any) -> None:
    assert fold(ALLOWED_ACTIONS, events_of(fact)) == {}


def test_the_revocation_of_what_was_never_allowed_is_kept() -> None:
    row = only(ALLOWED_ACTIONS, events_of(ApprovalRevoked(action_key="rm", reason="no")))
    assert (row.allowed_at, row.revoked_at, row.revoked_reason) == (None, at(1), "no")


def test_a_violation_goes_by_its_event() -> None:
    broken = PolicyViolated(
        policy="p", kind="k", action="warn", tool_name="sh", call_id="c", details={"d": 1}
    )
    assert only(VIOLATIONS, [event_of(broken, actor="guard", run_id="r")]) == Violation(
        **common(1, violation_id="e1", created_at=at(1), actor="guard", run_id="r"),
        policy="p",
        kind="k",
        action="warn",
        tool_name="sh",
        call_id="c",
        details={"d": 1},
    )


REGISTERED = ArtifactRegistered(artifact_id="f", key="out.txt", byte_size=3, metadata={"m": 1})
DELETED = ArtifactDeleted(artifact_id="f", reason="old")


def artifact(last: int, **fields: Any) -> Artifact:
    usual = common(last, artifact_id="f", key="out.txt", key_sha256=key_digest("out.txt"))
    usual |= {"byte_size": 3, "metadata": {"m": 1}, "created_at": at(1), "updated_at": at(last)}
    return Artifact(**usual | fields)


def test_a_deleted_artifact_stays_marked() -> None:
    assert only(ARTIFACTS, events_of(REGISTERED)) == artifact(1)
    gone = {"deleted_at": at(2), "deleted_reason": "old"}
    assert only(ARTIFACTS, events_of(REGISTERED, DELETED)) == artifact(2, **gone)
    assert only(ARTIFACTS, events_of(REGISTERED, DELETED, DELETED)) == artifact(
        3,
        **gone,
        anomaly_count=1,
        anomalies=[Anomaly(3, "artifact.deleted", "ignored, it was deleted already")],
    )


def test_registering_again_replaces_what_stands_and_begins_anew_after_a_deletion() -> None:
    other = ArtifactRegistered(artifact_id="f", key="k")
    row = only(ARTIFACTS, events_of(REGISTERED, other))
    assert (row.key, row.byte_size, row.first_sequence, row.anomaly_count) == ("k", None, 1, 1)
    row = only(ARTIFACTS, events_of(REGISTERED, DELETED, REGISTERED))
    assert row == artifact(3, first_sequence=3, created_at=at(3))


def test_the_deletion_of_an_unknown_artifact_is_kept() -> None:
    row = only(ARTIFACTS, events_of(DELETED))
    assert (row.key, row.deleted_at) == ("", at(1))
