"""States: JSON in the log where that is possible, and always back as what they were."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import get_topic
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import JSON_CONTENT_TYPE
from projections.eventsourcing import LedgerApplicationRecorder, LedgerFactory, LedgerMapper
from projections.eventsourcing.events import CONTENT_TYPE
from projections.eventsourcing.mapping import in_order

TOPIC = "module:Aggregate.Changed"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=4)
        | st.fixed_dictionaries({"_type_": st.text(), "_data_": inner})
    ),
    max_leaves=12,
)


@pytest.fixture
def recorder(url: str) -> Iterator[LedgerApplicationRecorder]:
    factory = LedgerFactory({"LEDGER_URL": url})
    recorder = factory.application_recorder()
    assert isinstance(recorder, LedgerApplicationRecorder)
    yield recorder
    factory.close()


class Note(Aggregate):
    def __init__(self, about: Any) -> None:
        self.about = about


@pytest.mark.parametrize(
    ("state", "data"),
    [
        (b"{}", {}),
        (b'{"a":[1,2.5,null],"b":{"c":"\xc3\xa9"}}', {"a": [1, 2.5, None], "b": {"c": "é"}}),
    ],
)
def test_json_in_the_ledgers_spelling_is_stored_as_json(
    recorder: LedgerApplicationRecorder, state: bytes, data: Any
) -> None:
    given = [StoredEvent("one", 1, TOPIC, state)]
    recorder.insert_events(given)
    [fact] = recorder.ledger.read("one")
    assert (fact.content_type, fact.data) == (JSON_CONTENT_TYPE, data)
    assert recorder.select_events("one") == given


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"state",
        b"\x00\xff",
        b"[1]",
        b'"text"',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1,"a":2}',
        b'{"a":1e+22}',
        b'{"a":NaN}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":18446744073709551616}',
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"a":1',
    ],
    ids=lambda state: repr(state[:24]),
)
def test_any_other_state_is_stored_byte_for_byte(
    recorder: LedgerApplicationRecorder, state: bytes
) -> None:
    given = [StoredEvent("one", 1, TOPIC, state)]
    recorder.insert_events(given)
    [fact] = recorder.ledger.read("one")
    assert (fact.content_type, fact.data) == (CONTENT_TYPE, state)
    assert recorder.select_events("one") == given
    assert recorder.select_notifications(1, 1)[0].state == state
    assert recorder.ledger.verify().ok


def test_a_topic_that_a_catalogue_could_know_is_not_validated(
    recorder: LedgerApplicationRecorder,
) -> None:
    given = [StoredEvent("one", 1, "message.appended", b"{}")]
    recorder.insert_events(given)
    assert recorder.select_events("one") == given


@given(st.dictionaries(st.text(max_size=3) | st.integers(0, 9), values, max_size=4))
def test_the_order_of_a_dict_that_the_application_made_is_kept(state: dict[Any, Any]) -> None:
    try:
        encoded = JSONTranscoder().encode(state)
    except UnicodeEncodeError:
        return  # a lone surrogate, which the library refuses
    stored = in_order(encoded)

    def pairs_of(data: bytes) -> Any:
        top: Any = json.loads(data, object_pairs_hook=marked)
        return sorted(top, key=repr) if isinstance(top, list) else top

    def marked(pairs: list[tuple[str, Any]]) -> Any:
        return sorted(pairs) if {key for key, _ in pairs} == {"_type_", "_data_"} else pairs

    assert repr(pairs_of(stored)) == repr(pairs_of(encoded))


def test_an_applications_events_read_as_json(url: str) -> None:
    env = {"PERSISTENCE_MODULE": "projections.eventsourcing", "LEDGER_URL": url}
    with Application[Any](env=env) as app:
        facts = []
        for about in (
            Decimal("1.50"),
            datetime(2026, 1, 2, tzinfo=UTC),
            {"a": 1, "b": uuid4()},
            {"b": 1, "a": 2},
        ):
            note = Note(about)
            app.save(note)
            copy: Any = app.repository.get(note.id)
            assert copy.about == about
            if isinstance(about, dict):
                assert list(copy.about) == list(about)
            factory: Any = app.factory
            facts += factory.ledger.read(str(note.id), tenant=app.name)
        assert [type(fact.data) for fact in facts] == [dict, dict, dict, bytes]
        assert facts[0].data["about"] == {"_type_": "decimal_str", "_data_": "1.50"}


class OwnMapper(Mapper[Any]):
    pass


def test_a_mapper_that_the_application_names_is_used(url: str) -> None:
    env = {"LEDGER_URL": url}
    factory = LedgerFactory(env)
    assert type(factory.mapper()) is LedgerMapper
    assert type(factory.mapper(mapper_class=OwnMapper)) is OwnMapper
    factory.close()
    factory = LedgerFactory(env | {"MAPPER_TOPIC": get_topic(OwnMapper)})
    assert type(factory.mapper()) is OwnMapper
    factory.close()
