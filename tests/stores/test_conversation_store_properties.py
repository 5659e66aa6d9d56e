"""What holds of any conversation whatever: it comes back, and it is found where it stands."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Ledger, NewEvent
from ledger.catalogue import ScopeFilter
from projections.session_stores.conversation import Channel, Session, SessionStatus
from tests.properties.profile import SEED, examples
from tests.support.conversations import (
    CHANGES,
    FIELDS,
    NOON,
    OTHER_SCENARIO,
    SCENARIO,
    TENANT,
    clock_from,
    session_of,
    store_of,
    uuid,
    visit,
)

SCENARIOS = st.sampled_from([SCENARIO, OTHER_SCENARIO])
NUMBERS = st.integers(0, 4)
STEPS = st.integers(1, 2)
SCOPES = st.none() | st.builds(
    ScopeFilter,
    include_channels=st.sampled_from([[], ["webchat"], ["webchat", "voice"]]),
    exclude_channels=st.sampled_from([[], ["voice"]]),
    include_current_nodes=st.sampled_from([[], ["step 1"], ["step 2"]]),
    exclude_current_nodes=st.sampled_from([[], ["step 1"]]),
    max_session_age_days=st.none() | st.integers(0, 4),
    min_session_age_days=st.none() | st.integers(0, 4),
)
# A turn of a single-scenario session: what is done with its scenario, and how it stands then.
TURNS = st.tuples(
    NUMBERS,
    st.sampled_from(["enter", "enter", "version", "exit", "stay", "back", "again"]),
    SCENARIOS,
    st.integers(1, 2),
    STEPS,
    st.sampled_from([*SessionStatus, *[SessionStatus.ACTIVE] * 4]),
)
STEPPED = ("scenario.step_entered",) * 4
MOVED = ("scenario.paused", "scenario.resumed", "scenario.completed", "scenario.exited")
FACTS = st.tuples(
    NUMBERS,
    st.sampled_from(["scenario.started", *STEPPED, *MOVED]),
    SCENARIOS,
    STEPS,
)


@seed(SEED)
@examples(60)
@given(first=st.fixed_dictionaries(FIELDS), changes=st.lists(CHANGES, max_size=3))
def test_a_12_whatever_a_session_says_comes_back_after_every_save(
    first: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    with Ledger.open("memory:") as ledger:
        store = store_of(ledger, clock=clock_from())
        session = session_of(**first)
        store.save(session)
        assert store.get(session.session_id) == session
        for change in changes:
            for name, value in change.items():
                setattr(session, name, value)
            store.save(session)
            found = store.get(session.session_id)
            assert found is not None
            derived = {"last_activity_at"}
            assert found.model_dump(exclude=derived) == session.model_dump(exclude=derived)
            version = found.version
            store.save(found)
            assert found.version == version  # nothing had changed, so nothing was stored


@seed(SEED)
@examples(40)
@given(turns=st.lists(TURNS, max_size=14), scope=SCOPES, version=st.integers(1, 2), step=STEPS)
def test_a_29_the_sessions_at_a_step_are_those_that_a_scan_finds(
    turns: list[tuple[Any, ...]], scope: ScopeFilter | None, version: int, step: int
) -> None:
    now = NOON + timedelta(days=2, hours=3)
    with Ledger.open("memory:") as ledger:
        store = store_of(ledger, clock=lambda: now)
        sessions = [aged(number, now) for number in range(5)]
        for count, turn in enumerate(turns):
            session = sessions[turn[0]]
            play(session, count, *turn[1:])
            store.save(session)
        saved = [one for one in sessions if one.version]
        found = store.find_sessions_by_step_hash(TENANT, SCENARIO, version, f"hash {step}", scope)
        expected = [one for one in saved if stands(one, version, step, scope, now)]
        assert [one.session_id for one in found] == [
            one.session_id
            for one in sorted(map(store.get, ids(expected)), key=activity)  # type: ignore[arg-type] # all are there
        ]


def aged(number: int, now: datetime) -> Session:
    channel = (Channel.WEBCHAT, Channel.VOICE, Channel.SMS)[number % 3]
    created_at = now - timedelta(days=number, seconds=number % 2)
    return session_of(number + 100, channel=channel, created_at=created_at)


def play(
    session: Session, turn: int, what: str, scenario: Any, version: int, step: int, status: Any
) -> None:
    """Do what soldier's pipeline does in a turn."""
    session.turn_count += 1
    session.status = status
    if what == "enter":
        session.active_scenario_id, session.active_step_id = scenario, uuid(1_000 + step)
        session.active_scenario_version = version
        session.step_history.append(visit(turn, step))
    elif what == "version" and session.active_scenario_id is not None:
        session.active_scenario_version = version
    elif what == "back" and session.active_scenario_id and len(session.step_history) > 1:
        session.step_history.pop()  # the turn is taken back
        session.active_step_id = session.step_history[-1].step_id
    elif what == "again" and session.step_history:
        session.active_scenario_id = scenario
        session.active_step_id = session.step_history[-1].step_id
        session.active_scenario_version = version
    elif what == "exit":
        session.active_scenario_id = session.active_step_id = None
        session.active_scenario_version = None


def stands(one: Session, version: int, step: int, scope: ScopeFilter | None, now: datetime) -> bool:
    """Whether a session is to be found, as the lines say it, field by field."""
    last = one.step_history[-1] if one.step_history else None
    age = (now - one.created_at).days
    scope = scope or ScopeFilter()
    name = None if last is None else last.step_name
    return (
        one.status == "active"
        and one.active_scenario_id == SCENARIO
        and one.active_scenario_version == version
        and last is not None
        and last.step_content_hash == f"hash {step}"
        and (not scope.include_channels or one.channel in scope.include_channels)
        and one.channel not in scope.exclude_channels
        and (not scope.include_current_nodes or name in scope.include_current_nodes)
        and name not in scope.exclude_current_nodes
        and (scope.max_session_age_days is None or age <= scope.max_session_age_days)
        and (scope.min_session_age_days is None or age >= scope.min_session_age_days)
    )


def ids(sessions: list[Session]) -> list[Any]:
    return [one.session_id for one in sessions]


def activity(one: Session) -> tuple[datetime, str]:
    return one.last_activity_at, str(one.session_id)


@seed(SEED)
@examples(40)
@given(facts=st.lists(FACTS, max_size=25), step=STEPS)
def test_u_21_the_sessions_in_which_steps_were_entered_are_those_that_a_scan_of_the_log_finds(
    facts: list[tuple[Any, ...]], step: int
) -> None:
    with Ledger.open("memory:") as ledger:
        store = store_of(ledger)
        sessions = [session_of(number + 100) for number in range(5)]
        for session in sessions:
            store.save(session)
        for number, kind, scenario, entered in facts:
            ledger.append(
                str(sessions[number].session_id),
                NewEvent(told(kind, str(scenario), entered), kind),
                tenant=str(TENANT),
            )
        found = store.find_sessions_by_step_hash(TENANT, SCENARIO, 1, f"hash {step}")
        assert set(ids(found)) == {
            one.session_id for one in sessions if scanned(ledger, one) == (f"hash {step}", "active")
        }


def told(kind: str, scenario_id: str, step: int) -> dict[str, Any]:
    if kind == "scenario.started":
        return {"scenario_id": scenario_id, "scenario_version": 1}
    if kind != "scenario.step_entered":
        return {"scenario_id": scenario_id}
    return {
        "scenario_id": scenario_id,
        "scenario_version": 1,
        "step_id": str(uuid(1_000 + step)),
        "step_name": f"step {step}",
        "step_content_hash": f"hash {step}",
    }


def scanned(ledger: Ledger, session: Session) -> tuple[str | None, str | None]:
    """Return where the log says that a session stands in the scenario, and how."""
    hash_, status = None, None
    for event in ledger.read(str(session.session_id), tenant=str(TENANT)):
        if event.data.get("scenario_id") != str(SCENARIO):
            continue
        kind = event.type.removeprefix("scenario.")
        if kind == "exited":
            hash_, status = None, None
            continue
        if kind == "started" and status == "completed":
            hash_ = None  # a start after the end begins anew
        if status is None or kind == "started":
            status = "active"
        if kind == "step_entered":
            hash_ = event.data["step_content_hash"]
        elif kind != "started" and status != "completed":
            status = {"resumed": "active"}.get(kind, kind)
    return hash_, status
