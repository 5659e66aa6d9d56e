"""What the payload models accept, what they refuse, and how the registry keeps names apart."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import ledger.catalogue as catalogue_module
from ledger.catalogue import (
    FACTS,
    ArtifactRegistered,
    Catalogue,
    ContentRedacted,
    ErrorOccurred,
    Fact,
    FeedbackGiven,
    MessageAppended,
    MigrationMarked,
    Part,
    QAAmended,
    QARecorded,
    RunAmended,
    RunFinished,
    RunStarted,
    ScenarioStepEntered,
    SessionForked,
    SpanFinished,
    ToolCall,
    ToolFinished,
    UsageRecorded,
    default_catalogue,
)
from ledger.errors import InvalidArgument


def stored(fact: BaseModel) -> dict[str, Any]:
    return fact.model_dump(mode="json", exclude_unset=True)


def place_of(error: pytest.ExceptionInfo[ValidationError]) -> tuple[int | str, ...]:
    return error.value.errors()[0]["loc"]


def test_absent_null_and_a_value_are_stored_as_three_different_things() -> None:
    assert stored(QAAmended(qa_id="q")) == {"qa_id": "q"}
    assert stored(QAAmended(qa_id="q", context=None)) == {"qa_id": "q", "context": None}
    assert stored(QAAmended(qa_id="q", context="")) == {"qa_id": "q", "context": ""}


def test_a_value_equal_to_the_default_is_stored_when_it_was_said() -> None:
    assert stored(UsageRecorded(input_tokens=0)) == {"input_tokens": 0}


def test_unset_fields_of_nested_parts_stay_out_as_well() -> None:
    message = MessageAppended(role="assistant", tool_calls=[ToolCall(id="c", name="search")])
    assert stored(message) == {
        "role": "assistant",
        "tool_calls": [{"id": "c", "name": "search"}],
    }


def test_what_was_stored_validates_to_the_same_fact() -> None:
    fact = QARecorded(
        qa_id="q", question="Where?", answer="There.", memify_metadata={"applied": True}
    )
    assert QARecorded.model_validate(stored(fact)) == fact


def test_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(ValidationError) as error:
        RunFinished.model_validate({"output": 1, "outptu": 2})
    assert place_of(error) == ("outptu",)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (QARecorded, {"qa_id": 7, "question": "", "answer": ""}),
        (UsageRecorded, {"input_tokens": "5"}),
        (UsageRecorded, {"input_tokens": 5.0}),
        (UsageRecorded, {"input_tokens": True}),
        (UsageRecorded, {"errored": 1}),
        (UsageRecorded, {"cost_usd": "0.1"}),
        (FeedbackGiven, {"score": "5"}),
    ],
)
def test_nothing_is_silently_converted(model: type[Fact], data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(data)


def test_a_moment_may_be_iso_text_and_is_kept_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    assert stored(RunAmended(started_at=datetime(2024, 5, 15, 15, tzinfo=berlin))) == stored(
        RunAmended.model_validate({"started_at": "2024-05-15T15:00:00+02:00"})
    )
    amended = RunAmended.model_validate({"started_at": "2024-05-15T13:00:00Z"})
    assert amended.started_at == datetime(2024, 5, 15, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 5, 15),
        "2024-05-15T13:00:00",
        "2024-05-15",
        "1715778000",
        1715778000,
        1715778000.0,
        True,
        "yesterday",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_moment_without_an_offset_or_not_a_moment_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as error:
        RunAmended.model_validate({"started_at": value})
    assert place_of(error) == ("started_at",)


@pytest.mark.parametrize("text", ["", " ", "\t\n", "x" * 513, "ü" * 257, "\ud800", "a\0b"])
def test_ids_are_not_blank_and_at_most_512_bytes(text: str) -> None:
    with pytest.raises(ValidationError) as error:
        QAAmended(qa_id=text)
    assert place_of(error) == ("qa_id",)


@pytest.mark.parametrize("text", ["../x", "a:b", "日本", "x" * 512, "ü" * 256, " padded "])
def test_ids_are_opaque_text(text: str) -> None:
    assert QAAmended(qa_id=text).qa_id == text


def test_a_parent_session_may_have_the_longest_session_id() -> None:
    assert SessionForked(parent="s" * 1024, at=1).parent == "s" * 1024
    with pytest.raises(ValidationError):
        SessionForked(parent="s" * 1025, at=1)


@pytest.mark.parametrize("score", [0, 6, -1, 2.5, None])
def test_a_feedback_score_is_a_whole_number_from_1_to_5(score: object) -> None:
    if score is None:
        assert stored(FeedbackGiven.model_validate({"score": None})) == {"score": None}
        return
    with pytest.raises(ValidationError):
        FeedbackGiven.model_validate({"score": score})


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_refused(reward: float) -> None:
    with pytest.raises(ValidationError):
        FeedbackGiven(reward=reward)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [math.nan]}, ".a[0]: nan is not a JSON number"),
        ({1: "one"}, "key 1 is not text"),
        ({"a": {1, 2}}, ".a: set has no JSON form"),
        ({"a": b"x"}, ".a: bytes has no JSON form"),
        ({"a": datetime(2024, 1, 1, tzinfo=UTC)}, ".a: datetime has no JSON form"),
        ({"a": "x\0y"}, ".a: NUL character in text"),
        ({"a": 2**64}, ".a: integer beyond 64 bits"),
    ],
)
def test_free_content_that_json_would_change_is_refused_with_its_place(
    value: object, place: str
) -> None:
    with pytest.raises(ValidationError) as error:
        RunFinished(output=value)
    assert place_of(error) == ("output",)
    assert error.value.errors()[0]["msg"] == place


def test_free_content_nested_too_deep_is_refused_and_not_an_internal_error() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(ValidationError):
        RunFinished(output=deep)


def test_a_step_must_say_its_version_name_and_hash_if_only_as_null() -> None:
    said = {"scenario_version": None, "step_name": None, "step_content_hash": None}
    step = ScenarioStepEntered.model_validate({"scenario_id": "s", "step_id": "t", **said})
    assert stored(step) == {"scenario_id": "s", "step_id": "t", **said}
    for missing in said:
        rest = {key: None for key in said if key != missing}
        with pytest.raises(ValidationError) as error:
            ScenarioStepEntered.model_validate({"scenario_id": "s", "step_id": "t", **rest})
        assert place_of(error) == (missing,)


def test_a_fact_cannot_be_changed() -> None:
    fact = RunStarted(provider="p")
    with pytest.raises(ValidationError):
        setattr(fact, "provider", "q")  # noqa: B010  # mypy knows that it is refused


def test_every_fact_has_a_type_of_its_own_a_version_and_a_docstring() -> None:
    names = [fact.event_type for fact in FACTS]
    assert len(set(names)) == len(names) == len(default_catalogue().types())
    assert all(fact.schema_version == 1 for fact in FACTS)
    assert all(fact.__doc__ and fact.__doc__.strip().split("\n")[0][-1] in ".:" for fact in FACTS)


def test_every_fact_can_be_built_by_pydantic_and_described() -> None:
    for fact in FACTS:
        assert fact.model_rebuild(force=True)
        assert fact.model_json_schema()["additionalProperties"] is False
        assert default_catalogue().describe(fact) == (fact.event_type, fact.schema_version)
        assert default_catalogue().model_of(fact.event_type) == (fact, fact.schema_version)


def test_no_field_hides_the_type_or_version_of_its_fact() -> None:
    for fact in FACTS:
        assert not {"event_type", "schema_version"} & set(fact.model_fields)


def test_all_models_are_exported() -> None:
    models = {
        name
        for name, value in vars(catalogue_module).items()
        if isinstance(value, type) and issubclass(value, Part)
    }
    assert models <= set(catalogue_module.__all__)
    assert set(FACTS) == {
        value
        for name in catalogue_module.__all__
        if isinstance(value := getattr(catalogue_module, name), type)
        and issubclass(value, Fact)
        and value is not Fact
    }


class Paid(Fact, type="order.paid", version=3):
    """An order was paid."""

    order_id: str


class Plain(BaseModel):
    """A model that knows nothing of facts."""

    x: int


def test_an_own_fact_brings_its_type_and_version() -> None:
    own = Catalogue()
    own.register(Paid)
    own.register(Paid)
    assert own.model_of("order.paid") == (Paid, 3)
    assert own.describe(Paid(order_id="1")) == ("order.paid", 3)
    assert own.types() == ["order.paid"]


def test_any_pydantic_model_can_be_registered_under_a_type() -> None:
    own = Catalogue()
    own.register(Plain, "plain.said")
    assert own.describe(Plain(x=1)) == ("plain.said", 1)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("type", lambda own: own.register(Plain)),
        ("type", lambda own: own.register(Plain, "")),
        ("type", lambda own: own.register(Plain, "x" * 129)),
        ("type", lambda own: own.register(Plain, "order.paid")),
        ("type", lambda own: own.register(Paid, "order.paid.too")),
        ("version", lambda own: own.register(Paid, version=4)),
        ("version", lambda own: own.register(Plain, "plain", 0)),
        ("version", lambda own: own.register(Plain, "plain", 65_536)),
        ("model", lambda own: own.register(int)),
        ("model", lambda own: own.register(Plain(x=1), "plain")),
        ("model", lambda own: own.register(Fact)),
        ("payload", lambda own: own.describe(Plain(x=1))),
    ],
)
def test_what_cannot_be_registered_is_refused_naming_the_argument(argument: str, call: Any) -> None:
    own = Catalogue()
    own.register(Paid)
    with pytest.raises(InvalidArgument) as error:
        call(own)
    assert error.value.argument == argument
    assert own.types() == ["order.paid"]


def test_one_model_cannot_have_two_types() -> None:
    own = Catalogue()
    own.register(Plain, "plain.said")
    with pytest.raises(InvalidArgument, match=r"plain\.said"):
        own.register(Plain, "plain.told")


def test_a_copy_keeps_what_is_registered_in_it_to_itself() -> None:
    own = default_catalogue().copy()
    own.register(Paid)
    assert own.model_of("order.paid") is not None
    assert own.model_of("qa.recorded") == (QARecorded, 1)
    assert default_catalogue().model_of("order.paid") is None


def test_unknown_types_have_no_model() -> None:
    assert default_catalogue().model_of("weather.changed") is None


def test_importing_the_catalogue_builds_no_model() -> None:
    code = (
        "import ledger.catalogue as c; c.default_catalogue();"
        "assert not any(f.__pydantic_complete__ for f in c.FACTS)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_costs_and_counts_stay_within_what_views_can_add_up() -> None:
    with pytest.raises(ValidationError):
        UsageRecorded(input_tokens=10**12 + 1)
    with pytest.raises(ValidationError):
        UsageRecorded(cost_usd=100_000.01)
    with pytest.raises(ValidationError):
        ArtifactRegistered(artifact_id="a", key="k", byte_size=-1)


@pytest.mark.parametrize("latency_ms", [-1, 9 * 10**15 + 2, 1e16, 1e308, 2**63 - 1])
def test_how_long_something_took_stays_within_what_views_can_keep(latency_ms: float) -> None:
    assert ToolFinished(call_id="c", latency_ms=9e15).latency_ms == 9e15
    with pytest.raises(ValidationError):
        ToolFinished(call_id="c", latency_ms=latency_ms)


def test_examples_of_the_wider_facts_round_trip() -> None:
    for fact in (
        ErrorOccurred(error_message="no", provider_error={"provider": "x", "exit_code": 1}),  # type: ignore[arg-type]  # as it arrives
        SpanFinished(span_id="s", started_at=datetime(2024, 1, 1, tzinfo=UTC)),
        MigrationMarked(target_version=2, anchor_content_hash="h", migration_plan_id="p"),
        ContentRedacted(qa_ids=["a"], sequences=[3]),
        MessageAppended(role="user", content=["hello", {"type": "image", "url": "x"}]),
    ):
        assert type(fact).model_validate(stored(fact)) == fact
