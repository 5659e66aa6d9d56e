"""The pieces of work of a session as a tree: what was done inside what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    firsts = _firsts_of_circles(nodes)
    roots = []
    for span in spans:
        parent = nodes.get(span.parent_span_id or "")
        if parent is None or span.span_id in firsts:
            roots.append(nodes[span.span_id])
        else:
            parent.children.append(nodes[span.span_id])
    return roots


def _firsts_of_circles(nodes: dict[str, SpanNode]) -> set[str]:
    """Return the first span of each circle; every span is gone up from once."""
    firsts = set()
    # From where the way up came by each.
    seen: dict[str, str] = {}
    for start in nodes:
        above = start
        while above in nodes and above not in seen:
            seen[above] = start
            above = nodes[above].span.parent_span_id or ""
        if seen.get(above) == start:
            firsts.add(min(_around(above, nodes), key=_place).span_id)
    return firsts


def _around(span_id: str, nodes: dict[str, SpanNode]) -> Iterator[Span]:
    """Yield the spans of a circle."""
    above = nodes[span_id].span
    while True:
        yield above
        above = nodes[above.parent_span_id or ""].span
        if above.span_id == span_id:
            return


def _place(span: Span) -> tuple[int, str]:
    return span.first_sequence, span.span_id
