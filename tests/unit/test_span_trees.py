"""Spans as a tree: every span in exactly one place, whatever the parents say."""

from __future__ import annotations

from typing import Any

import pytest
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


def nodes(found: list[SpanNode]) -> list[SpanNode]:
    return [one for node in found for one in (node, *nodes(node.children))]


NAMES = st.sampled_from("abcdefgh")


def brute_roots(parents: dict[str, str | None]) -> list[str]:
    """The roots, told once more: who is above nobody, or the first of those that are above it."""

    def above(name: str) -> list[str]:
        found: list[str] = []
        parent = parents[name]
        while parent in parents and parent not in found:
            found.append(parent)
            parent = parents[parent]
        return found

    order = [*parents]
    return [
        name
        for name in order
        if not above(name) or (name in above(name) and name == min(above(name), key=order.index))
    ]


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_a_root_has_nobody_above_it_or_is_the_first_of_its_circle(
    parents: dict[str, str | None],
) -> None:
    found = tree(spans(parents))
    assert [node.span.span_id for node in found] == brute_roots(parents)
    inside = {
        (child.span.span_id, node.span.span_id) for node in nodes(found) for child in node.children
    }
    roots = {node.span.span_id for node in found}
    assert inside == {(name, parents[name]) for name in parents if name not in roots}


@pytest.mark.parametrize("shape", ["up", "down", "circle", "into a circle"])
def test_how_deep_spans_are_does_not_matter(shape: str) -> None:
    """Each parent is looked up a few times; before, as often as there are spans below it."""
    count = 2_000
    ids = [f"{n:04}" for n in range(count)]
    parents: dict[str, str | None] = dict(zip(ids, [None, *ids], strict=False))
    if "circle" in shape:
        parents[ids[0]] = ids[-1] if shape == "circle" else ids[count // 2]
    order = ids if shape == "down" else ids[::-1]
    given_spans = [CountedSpan(span(name, parents[name], n)) for n, name in enumerate(order)]
    found: Any = tree(given_spans)  # type: ignore[arg-type]  # it is asked as a span is
    assert len(found) == 1
    assert max(one.asked for one in given_spans) <= 10


class CountedSpan:
    """A span that counts how often it is asked for its parent."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "parent_span_id"
        return getattr(self._span, name)


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_every_span_is_in_exactly_one_place(parents: dict[str, str | None]) -> None:
    assert sorted(names(tree(spans(parents)))) == sorted(parents)
