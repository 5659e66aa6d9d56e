"""The pieces of work of a session as a tree: what was done inside what."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..folds.traces import Span


class SpanNode(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work and what was done inside it, in the order in which it began."""

    span: Span
    children: list[SpanNode]


def tree(spans: Sequence[Span]) -> list[SpanNode]:
    """Return the roots of spans that come in order, each span in exactly one place. Pure.

    A root is whatever has no parent among them; of spans that are inside each other in a circle,
    it is the first one.
    """
    nodes = {span.span_id: SpanNode(span=span, children=[]) for span in spans}
    roots = []
    for span in spans:
        parent = nodes.get(span.parent_span_id or "")
        if parent is None or _first_of_circle(span, nodes):
            roots.append(nodes[span.span_id])
        else:
            parent.children.append(nodes[span.span_id])
    return roots


def _first_of_circle(span: Span, nodes: dict[str, SpanNode]) -> bool:
    """Whether a span is inside itself, and none on the way around comes before it."""
    seen = {span.span_id}
    above = span
    while True:
        parent = nodes.get(above.parent_span_id or "")
        if parent is None:
            return False
        above = parent.span
        if above.span_id == span.span_id:
            return True
        if above.span_id in seen or _place(above) < _place(span):
            return False
        seen.add(above.span_id)


def _place(span: Span) -> tuple[int, str]:
    return span.first_sequence, span.span_id
