"""Whatever is told, again, behind deletions and of several sessions at once, comes back as it was."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from ledger import InvalidEvent, Ledger
from projections.session_stores.orchestrator import EventRecord, ExecutionResult, StoreRefused
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.orchestrator.events import to_ledger
from projections.session_stores.orchestrator.facts import FACTS
from projections.session_stores.orchestrator.records import EVENT_TYPES
from tests.properties.profile import SEED, examples
from tests.stores.orchestrator_cases import at, event, run_of, session

LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, "", " ", "a", "user", "assistant", "x" * 600, "@1", 0, 1, -1, 1.0, -0.0, 0.5),
        *(True, False, 10**12, 10**12 + 1, 2**63, -(2**63), 5e-324),
        *([], ["a"], [1.0], [{}], {}, {"a": True}, ("a", [(1,)]), {"provider": "p"}),
        *([{"id": "1", "name": "n"}], [{"id": "1", "name": "n", "arguments": {"a": 1.0}}]),
    ]
)
VALUES = LEAVES | st.recursive(
    LEAVES, lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from("ab"), one)
)
BESIDE = ["call_id", "turn_id", "odd", "type", "metadata", "content", "delta", "data", "id"]
WITHIN = ["provider", "kind", "exit_code", "truncated", "truncated?", "odd", "provider_error"]
#: As ids of later lives look, and as long as they may be.
IDS = st.sampled_from(["x", "x@2", "x@3", "x@02", "@0", "y" * 512])


@st.composite
def events(draw: st.DrawFn) -> EventRecord:
    """Events with data near to what the facts say."""
    type = draw(st.sampled_from([*FACTS] * 8 + [*EVENT_TYPES]))
    fields = FACTS[type].model_fields if type in FACTS else {}
    names = st.sampled_from([*fields, *BESIDE])
    data: dict[str, Any] = draw(st.dictionaries(names, VALUES, max_size=draw(st.integers(0, 3))))
    if draw(st.booleans()):
        needed = [name for name, field in fields.items() if field.is_required()]
        data |= {name: draw(st.sampled_from(["user", "assistant"])) for name in needed}
    if type.startswith("tool_call") and draw(st.booleans()):
        data.pop("call_id", None)
        data["tool_call_id"] = draw(st.sampled_from(["1", "", "x" * 512]))
    if type == "message_streamed" and draw(st.booleans()):
        data = {"content": draw(VALUES)}
    if type == "error_occurred" and draw(st.booleans()):
        data |= {"error_message": "m"}
        inner = draw(st.dictionaries(st.sampled_from(WITHIN), VALUES, max_size=2))
        data["provider_error"] = inner | draw(st.sampled_from([{}, {"provider": "p"}]))
    return event(
        draw(IDS),
        type,
        data=data,
        session_id=draw(st.sampled_from("st")),
        run_id=draw(st.sampled_from([None, "r", "r@1"])),
        timestamp=at(draw(st.integers(-5, 5))),
        metadata=draw(st.just({}) | st.dictionaries(st.sampled_from(BESIDE), LEAVES, max_size=1)),
        schema_version=draw(st.sampled_from([1, 1, 1, 2])),
        provider=draw(st.sampled_from([None, None, "", "codex"])),
        correlation_id=draw(st.sampled_from([None, "c"])),
    )


#: Of few events, so that many are told again.
CALLS = st.lists(events(), min_size=1, max_size=4).flatmap(
    lambda told: st.lists(
        st.tuples(
            st.sampled_from(["append", "append", "flush", "delete", "archive"]),
            st.lists(st.sampled_from(told), min_size=1, max_size=3),
        ),
        max_size=8,
    )
)
_tenants = map(str, count())


@pytest.fixture(params=["memory:", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    url = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/l.db"
    with Ledger.open(url) as ledger:
        yield ledger


def said(one: EventRecord) -> str:
    """Return all that an event says; as text, for 1, 1.0 and True are equal and yet not the same."""
    return json.dumps(
        asdict(replace(one, sequence_number=None)),
        default=datetime.isoformat,
        sort_keys=True,
    )


def tell(store: Store, how: str, given: list[EventRecord]) -> None:
    if how == "flush":
        store.flush(ExecutionResult(session=session(), run=run_of(), events=given))
    else:
        assert list(map(said, store.append_events(given))) == list(map(said, given))


@seed(SEED)
@examples(100)
@given(calls=CALLS)
def test_every_event_that_is_not_refused_comes_back_and_no_other(
    opened: Ledger, calls: list[tuple[str, list[EventRecord]]]
) -> None:
    store = Store(opened, tenant=next(_tenants), enforce_transitions=False)
    lives: dict[str, dict[str, str]] = {"s": {}, "t": {}}
    for how, drawn in calls:
        told = [replace(one, session_id="s") for one in drawn] if how == "flush" else drawn
        if how == "delete":
            store.delete_session(told[0].session_id)
            lives[told[0].session_id] = {}
        elif how == "archive":
            store.save_session(session(told[0].session_id, deleted_at=at(9)))
        else:
            after = {session_id: dict(life) for session_id, life in lives.items()}
            kept = [after[one.session_id].setdefault(one.id, said(one)) for one in told]
            if kept == list(map(said, told)):
                tell(store, how, told)
                lives = after
            else:
                with pytest.raises(StoreRefused) as caught:
                    tell(store, how, told)
                assert caught.value.code == "already_exists"
        for session_id, life in lives.items():
            assert list(map(said, store.get_events(session_id))) == list(life.values())


@seed(SEED)
@examples(250)
@given(one=events(), incarnation=st.sampled_from([0, 3]))
def test_an_event_comes_back_and_is_kept_the_same_whether_the_fact_was_asked_or_not(
    opened: Ledger, one: EventRecord, incarnation: int
) -> None:
    def kept(*, certain: bool) -> tuple[Any, ...] | None:
        try:
            draft = opened.door.draft("", "s", to_ledger(one, incarnation, certain=certain))
        except InvalidEvent:
            return None
        return draft.event_id, draft.type, draft.payload, draft.metadata

    asked = kept(certain=True)
    assert asked is not None
    assert kept(certain=False) in (None, asked)
    tell(Store(opened, tenant=next(_tenants)), "append", [one])
