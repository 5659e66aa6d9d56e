"""Facts that do not fit: each rule of each fold, one by one, and what a fold marks for it."""

from __future__ import annotations

import pytest

from ledger.catalogue import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalRevoked,
    ArtifactDeleted,
    ArtifactRegistered,
    ContextAmended,
    ContextDeleted,
    ContextPut,
    ContextRated,
    Fact,
    FeedbackCleared,
    FeedbackGiven,
    MessageAmended,
    MessageAppended,
    MessageDeleted,
    MessageStreamed,
    MigrationCleared,
    QAAmended,
    QADeleted,
    QARecorded,
    RuleFired,
    RunAmended,
    RunCancelled,
    RunCreated,
    RunFailed,
    RunFinished,
    RunStarted,
    RunTimedOut,
    ScenarioExited,
    ScenarioPaused,
    ScenarioStarted,
    ScenarioStepEntered,
    SessionAmended,
    SessionArchived,
    SessionClosed,
    SessionCreated,
    SessionForked,
    SessionLabelled,
    SessionRekeyed,
    SessionRestored,
    SessionStatusChanged,
    SessionTagged,
    SnapshotDeleted,
    SnapshotRestored,
    SpanFinished,
    SpanStarted,
    ToolFinished,
    ToolProgressed,
    ToolStarted,
    TraceAppended,
    TurnFinished,
    TurnStarted,
    UsageRecorded,
    VariableSet,
)
from projections import (
    ALLOWED_ACTIONS,
    APPROVALS,
    ARTIFACTS,
    CONTEXT,
    FEEDBACK,
    MESSAGES,
    QA,
    RUNS,
    SCENARIOS,
    SCRIPTS,
    SESSIONS,
    SNAPSHOTS,
    TRACES,
    TURNS,
    Projection,
)
from projections.builtin import BUILTIN
from projections.folds.qa import FLAGS_MAX
from projections.folds.runs import PENDING_APPROVALS_MAX
from projections.folds.scenarios import HASH_BYTES_MAX, VARIABLES_MAX
from projections.folds.scripts import RULES_MAX
from projections.folds.sessions import ALLOWED_ACTIONS_MAX, LABELS_MAX, TAGS_MAX
from tests.support.folds import at, events_of, only

CREATED = SessionCreated(status="active")
ASKED = QARecorded(qa_id="q", question="?", answer="!")
SAID = MessageAppended(role="user", message_id="m")
PIECE = MessageStreamed(message_id="m", delta="x")
PUT = ContextPut(context_id="c")
TURN = TurnFinished(turn_id="1")
ALLOWED = ApprovalDecided(approval_id="a", decision="allow_always", action_key="k")
REVOKED = ApprovalRevoked(action_key="k")
FILE = ArtifactRegistered(artifact_id="f", key="k")
GONE = ArtifactDeleted(artifact_id="f")
SCENARIO = ScenarioStarted(scenario_id="x", scenario_version=1)
EXITED = ScenarioExited(scenario_id="x")
TOOL = ToolStarted(call_id="c", tool_name="t")
RESULT = ToolFinished(call_id="c")
SPAN = SpanStarted(span_id="p", name="n")
STEP = TraceAppended(origin_function="f", status="ok", step_id="s")


# What these say, they say of a session or a run as of something known.
PRESUMING = [
    *(RunFinished(), RunFailed(), RunCancelled(), RunTimedOut(), RunAmended()),
    *(SessionClosed(), SessionStatusChanged(status="idle"), SessionRekeyed(), SessionAmended()),
    *(SessionLabelled(), SessionTagged(), SessionArchived(), SessionRestored()),
]


RATED = FeedbackGiven(feedback_id="f", score=1)


def many(count: int) -> list[str]:
    return [f"{number}" for number in range(count)]


def allowed(action_key: str) -> Fact:
    return ApprovalDecided(approval_id="a", decision="allow_always", action_key=action_key)


def entered(content_hash: str | None = "h") -> Fact:
    return ScenarioStepEntered(
        scenario_id="x", scenario_version=1, step_id="a", step_name=None,
        step_content_hash=content_hash,
    )  # fmt: skip


# The last fact of each list is the one that does not fit.
RULES: list[tuple[Projection, list[Fact], str]] = [
    (SESSIONS, [CREATED, SessionClosed(), SessionClosed()],
     "ignored, the session was closed already"),
    (SESSIONS, [CREATED, SessionClosed(), SessionStatusChanged(status="failed")],
     "ignored, the session was closed already"),
    (SESSIONS, [CREATED, SessionClosed(), SessionStatusChanged(status="active")],
     "ignored, the session was closed already"),
    (SESSIONS, [SessionCreated(), SessionStatusChanged(status="paused")],
     "applied, paused does not follow pending"),
    (SESSIONS, [CREATED, CREATED], "created before: only what was empty is filled"),
    (SESSIONS, [RunStarted()], "applied, nobody had created the session"),
    (SESSIONS, [RunCreated()], "applied, nobody had created the session"),
    *((SESSIONS, [one], "applied, nobody had seen the session") for one in PRESUMING),
    (SESSIONS, [CREATED, SessionClosed(), RunStarted()], "counted, the session was closed"),
    (SESSIONS, [CREATED, SessionClosed(), UsageRecorded()], "counted, the session was closed"),
    (SESSIONS, [CREATED, SessionClosed(), SAID], "counted, the session was closed"),
    (SESSIONS, [CREATED, SessionTagged(added=many(TAGS_MAX + 1))],
     "left out what is beyond the bound of tags"),
    (SESSIONS, [CREATED, SessionLabelled(labels=dict.fromkeys(many(LABELS_MAX + 1), ""))],
     "left out what is beyond the bound of labels"),
    (SESSIONS, [SessionCreated(tags=many(TAGS_MAX + 1))],
     "left out what is beyond the bound of tags"),
    (SESSIONS, [*map(allowed, many(ALLOWED_ACTIONS_MAX + 1))],
     "left out what is beyond the bound of allowed actions"),
    (RUNS, [*(ApprovalRequested(approval_id=one) for one in many(PENDING_APPROVALS_MAX + 1))],
     "left out what is beyond the bound of pending approvals"),
    (QA, [ASKED, QAAmended(qa_id="q", memify_metadata=dict.fromkeys(many(FLAGS_MAX + 1), True))],
     "left out what is beyond the bound of flags"),
    (SCENARIOS, [SCENARIO, *(VariableSet(scenario_id="x", name=one, value=1)
                             for one in many(VARIABLES_MAX + 1))],
     "left out what is beyond the bound of variables"),
    (SCRIPTS, [RuleFired(rule_id=one) for one in many(RULES_MAX + 1)],
     "left out, it is beyond the bound of rules"),
    (SCRIPTS, [VariableSet(name=one, value=1) for one in many(VARIABLES_MAX + 1)],
     "left out, it is beyond the bound of variables"),
    (FEEDBACK, [RATED, RATED], "ignored, it was given before"),
    (SNAPSHOTS, [SnapshotRestored(name="n")], "ignored, there is no such state"),
    (SNAPSHOTS, [SnapshotDeleted(name="n")], "ignored, there is no such state"),
    (RUNS, [RunFinished()], "applied, nobody had started the run"),
    (RUNS, [RunStarted(), RunFinished(), RunFinished()], "ignored, the run was completed already"),
    (RUNS, [RunStarted(), RunFinished(), RunStarted()], "ignored, the run was completed already"),
    (RUNS, [RunStarted(), RunStarted()], "started before: only fills what is empty"),
    (RUNS, [RunStarted(), RunCreated()], "not the run's first fact: only fills what is empty"),
    (RUNS, [RunStarted(), RunFinished(), UsageRecorded()], "counted, the run was completed"),
    (RUNS, [RunStarted(), RunFinished(), TOOL], "counted, the run was completed"),
    (RUNS, [FeedbackGiven(run_id="r", score=1)], "applied, nobody had seen the run"),
    (RUNS, [FeedbackCleared(run_id="r")], "applied, nobody had seen the run"),
    *((RUNS, [one], "applied, nobody had seen the run")
      for one in (UsageRecorded(), RunAmended(), RunFailed(), RunCancelled(), RunTimedOut())),
    (QA, [ASKED, ASKED], "ignored, it was recorded before"),
    (QA, [QAAmended(qa_id="q", answer="x")], "ignored, there is no such answer"),
    (QA, [FeedbackGiven(qa_id="q", score=1)], "ignored, there is no such answer"),
    (QA, [FeedbackCleared(qa_id="q")], "ignored, there is no such answer"),
    (QA, [QADeleted(qa_id="q")], "ignored, there is no such answer"),
    (QA, [ASKED, QADeleted(qa_id="q"), QADeleted(qa_id="q")], "ignored, there is no such answer"),
    (MESSAGES, [SAID, SAID], "ignored, it was appended before"),
    (MESSAGES, [SAID, PIECE], "ignored, it was appended before"),
    (MESSAGES, [MessageAmended(message_id="m")], "ignored, there is no such message"),
    (MESSAGES, [MessageDeleted(message_id="m")], "ignored, there is no such message"),
    (TURNS, [TURN, TURN], "ignored, the turn was finished already"),
    (TURNS, [TURN, TurnStarted(turn_id="1")], "finished before: only fills what is empty"),
    (CONTEXT, [ContextAmended(context_id="c")], "ignored, there is no such entry"),
    (CONTEXT, [ContextRated(context_id="c", helpful_delta=1)], "ignored, there is no such entry"),
    (CONTEXT, [PUT, ContextRated(context_id="c", helpful_delta=-1)],
     "applied, as far as down to nothing"),
    *((APPROVALS, [ApprovalDecided(approval_id="a", decision=one)], "applied, nobody had asked")
      for one in ("deny", "allow_once", "allow_always")),
    (APPROVALS, [ApprovalRequested(approval_id="a"), ApprovalRequested(approval_id="a")],
     "asked before: only fills what is empty"),
    (APPROVALS, [ApprovalRequested(approval_id="a"), ALLOWED, ALLOWED],
     "ignored, it was decided already: allow_always"),
    (ALLOWED_ACTIONS, [REVOKED], "applied, nobody had allowed it"),
    (ALLOWED_ACTIONS, [ALLOWED, REVOKED, REVOKED], "ignored, it was revoked already"),
    (ARTIFACTS, [FILE, FILE], "registered before: replaced"),
    (ARTIFACTS, [GONE], "applied, nobody had registered it"),
    (ARTIFACTS, [FILE, GONE, GONE], "ignored, it was deleted already"),
    (SCENARIOS, [entered()], "applied, the scenario was not started"),
    (SCENARIOS, [SCENARIO, SCENARIO], "started before: its position is kept"),
    (SCENARIOS, [SCENARIO, entered("x" * (HASH_BYTES_MAX + 1))],
     "applied without its hash, which is too long"),
    (SCENARIOS, [SCENARIO, ScenarioPaused(scenario_id="x"), ScenarioPaused(scenario_id="x")],
     "it was paused already"),
    (SCENARIOS, [EXITED], "ignored, the session was not in the scenario"),
    (SCENARIOS, [SCENARIO, EXITED, EXITED], "ignored, the session was not in the scenario"),
    (SCRIPTS, [MigrationCleared()], "applied, no migration was pending"),
    (TRACES, [RESULT], "applied, nobody had started it"),
    (TRACES, [ToolProgressed(call_id="c")], "applied, nobody had started it"),
    (TRACES, [SpanFinished(span_id="p")], "applied, nobody had started it"),
    (TRACES, [TOOL, RESULT, RESULT], "ignored, it had ended already: ok"),
    (TRACES, [TOOL, RESULT, ToolProgressed(call_id="c")], "ignored, it had ended already: ok"),
    (TRACES, [TOOL, TOOL], "running before: only fills what is empty"),
    (TRACES, [SPAN, SpanFinished(span_id="p"), SPAN], "ok before: only fills what is empty"),
    (TRACES, [STEP, STEP], "ignored, it had ended already: ok"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("projection", "facts", "reason"),
    RULES,
    ids=[f"{p.name}: {reason}" for p, _, reason in RULES],
)
def test_a_fact_that_does_not_fit_is_marked(
    projection: Projection, facts: list[Fact], reason: str
) -> None:
    row = only(projection, events_of(*facts, run_id="r"))
    assert row.anomaly_count == 1
    [marked] = row.anomalies
    assert (marked.sequence, marked.type) == (len(facts), facts[-1].event_type)
    assert marked.reason == reason


@pytest.mark.parametrize(
    ("projection", "facts"),
    [
        (SESSIONS, [SessionForked(parent="p", at=1), RunStarted()]),
        (SESSIONS, [UsageRecorded(), CREATED, SessionClosed(), FeedbackGiven(run_id="r")]),
        (RUNS, [RunCreated(), RunStarted(), RunFinished(), FeedbackGiven(run_id="r")]),
        (RUNS, [SAID]),
        (QA, [ASKED, QADeleted(qa_id="q"), ASKED, FeedbackGiven(qa_id="q", score=1)]),
        (MESSAGES, [PIECE, PIECE, SAID, MessageDeleted(message_id="m"), PIECE]),
        (TURNS, [TURN]),
        (CONTEXT, [PUT, PUT, ContextDeleted(context_ids=["c"]), PUT]),
        (ARTIFACTS, [FILE, GONE, FILE]),
        (SCENARIOS, [SCENARIO, EXITED, SCENARIO]),
        (TRACES, [SpanFinished(span_id="p", started_at=at(0))]),
        (TRACES, [RunFinished(), RunFinished()]),
    ],
)
def test_a_fact_that_fits_is_not_marked(projection: Projection, facts: list[Fact]) -> None:
    assert only(projection, events_of(*facts, run_id="r")).anomaly_count == 0


@pytest.mark.parametrize(
    ("projection", "facts"),
    [
        (QA, [ASKED, ASKED, QADeleted(qa_id="q")]),
        (MESSAGES, [SAID, SAID, MessageDeleted(message_id="m")]),
        (CONTEXT, [PUT, ContextRated(context_id="c", harmful_delta=-1),
                   ContextDeleted(context_ids=["c"])]),
        (SCENARIOS, [entered(), EXITED]),
    ],
)  # fmt: skip
def test_a_row_that_goes_leaves_its_anomalies(projection: Projection, facts: list[Fact]) -> None:
    left = only(projection, events_of(*facts))
    assert left.missing_since == at(len(facts))
    assert left.anomaly_count == 1
    again = only(projection, events_of(*facts, facts[0]))
    assert again.missing_since is None
    assert again.anomalies[0] == left.anomalies[0]


def test_every_view_that_decides_about_facts_keeps_what_did_not_fit() -> None:
    # What these are told is a fact of its own, an increment, or a last word: everything fits.
    undecided = {"usage", "graph_context", "violations", "step_visits", "consumers"}
    keeping = {one.name for one in BUILTIN if "anomalies" in one.view.__struct_fields__}
    assert keeping | undecided == {one.name for one in BUILTIN}
    assert keeping == {projection.name for projection, _, _ in RULES}
