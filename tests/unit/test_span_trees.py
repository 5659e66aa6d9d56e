"""Spans as a tree: every span in exactly one place, whatever the parents say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections import Span, SpanNode
from projections.readers.span_trees import tree
from tests.support.folds import at


def span(name: str, parent: str | None, sequence: int) -> Span:
    return Span(
        tenant="t", session_id="s", span_id=name, parent_span_id=parent, source="span",
        own_id=name, kind="span", first_sequence=sequence, last_sequence=sequence,
        position=sequence, created_at=at(sequence),
    )  # fmt: skip


def spans(parents: dict[str, str | None]) -> list[Span]:
    return [span(name, parent, n) for n, (name, parent) in enumerate(parents.items(), 1)]


def shape(nodes: list[SpanNode]) -> list[Any]:
    return [(node.span.span_id, shape(node.children)) for node in nodes]


def names(nodes: list[SpanNode]) -> list[str]:
    return [name for node in nodes for name in (node.span.span_id, *names(node.children))]


def test_children_stand_in_their_parent_in_order_even_if_it_begins_later() -> None:
    found = tree(spans({"b": "a", "a": None, "c": "a", "d": "b"}))
    assert shape(found) == [("a", [("b", [("d", [])]), ("c", [])])]


def test_what_has_no_parent_among_them_is_a_root() -> None:
    assert shape(tree(spans({"a": "gone", "b": None}))) == [("a", []), ("b", [])]
    assert tree([]) == []


def test_of_a_circle_the_first_is_the_root() -> None:
    assert shape(tree(spans({"a": "a"}))) == [("a", [])]
    circle = {"x": "b", "a": "c", "b": "a", "c": "b"}
    assert shape(tree(spans(circle))) == [("a", [("b", [("x", []), ("c", [])])])]


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_every_span_is_in_exactly_one_place(parents: dict[str, str | None]) -> None:
    assert sorted(names(tree(spans(parents)))) == sorted(parents)
