"""What of a session drew on elements of the graph, however indirectly. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from ...folds.traces import Span
from ...readers.search_words import texts_within
from ..uuid_texts import is_uuid
from .ids import canonical
from .named_ids import NamedIds
from .records import several
from .standing import Kept

#: Something of a session: of which kind it is, and its id.
Piece = tuple[str, str]
ANSWER, STEP, SAID, LESSON = "answer", "step", "feedback", "lesson"


class Kind(msgspec.Struct, frozen=True):
    """Where what is kept has all of a kind, and which of their fields say what they drew on."""

    field: str
    own_id: str
    sources: tuple[str, ...]


_KINDS = {
    ANSWER: Kind("entries", "qa_id", ("used_graph_element_ids", "used_session_context_ids")),
    STEP: Kind("steps", "own_id", ("input", "output", "error", "attributes")),
    SAID: Kind(
        "feedback", "feedback_id", ("qa_id", "referenced_qa_ids", "influencing_context_ids")
    ),
    LESSON: Kind("guidance", "context_id", ("source_feedback_ids", "source_trace_ids")),
}


class Elements:
    """Elements of the graph, by all forms of their ids in which an answer or a step may name them."""

    def __init__(self, element_ids: Iterable[str]) -> None:
        # A blank id would be found in every step; the graph's UUIDs stand there in either form.
        given = [
            (one, canonical(one, "element_ids")) for one in several(element_ids, "element_ids")
        ]
        self._by_form: dict[str, str] = {}
        for one, own in given:
            forms = (str(one), own) + ((UUID(own).hex,) if is_uuid(own) else ())
            self._by_form |= dict.fromkeys(forms, own)
        self.named = NamedIds(self._by_form)

    def among(self, ids: Iterable[str]) -> set[str]:
        """Return those that are among some ids, each by the one form in which facts have it."""
        return {self._by_form[one] for one in ids if one in self._by_form}


class Drawn(msgspec.Struct, frozen=True):
    """What drew on elements, and on which of them it did."""

    gone: Kept
    elements: list[str]


class InSteps:
    """Which of some ids the steps of a session name; no text is looked into twice for one id."""

    def __init__(self, *named: NamedIds) -> None:
        self._named = list(named)
        self._known: set[str] = set()
        self._texts: dict[str, tuple[Span, list[str]]] = {}
        #: By the ids of steps.
        self.names: dict[str, set[str]] = {}

    def look(self, steps: Iterable[Span], more: Iterable[str] = ()) -> None:
        """Look into steps, and into all for more ids."""
        new = NamedIds(one for one in more if one not in self._known)
        if new.ids:
            for step_id, (_, texts) in self._texts.items():
                self.names[step_id] |= _found([new], texts)
            self._known.update(new.ids)
            self._named.append(new)
        for step in steps:
            before = self._texts.get(step.own_id)
            if before is None or before[0] is not step:
                texts = _texts(step)
                self._texts[step.own_id] = step, texts
                self.names[step.own_id] = _found(self._named, texts)


class Provenance:
    """What drew on some elements, in one session.

    Of a session that went on it looks only at what is new: who writes to one that is long is not to
    be faster each time.
    """

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        self._elements_in = InSteps(elements.named)
        self._answers_in = InSteps()
        self._begin()

    def _begin(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        self._users: dict[Piece, list[Piece]] = defaultdict(list)
        self._gone: set[Piece] = set()
        self._drew_on: set[str] = set()
        #: Of which it is not in `_users` which steps name which answers.
        self._steps: list[Span] = []
        self._answers: list[str] = []

    def drawn_from(self, kept: Kept) -> Drawn:
        """Return all that depends on the elements.

        Answers that used them; steps that name them, or a redacted answer; feedback on such
        answers; guidance learned from such feedback or steps; later answers that used such guidance.
        """
        work: list[Piece] = []
        for kind, own_id, row in self._new(kept):
            elements, sources = self._origin(kind, row)
            self._drew_on |= elements
            self._add(((source, (kind, own_id)) for source in sources), work)
            if elements:
                work.append((kind, own_id))
        self._spread(work)
        if any((ANSWER, one) in self._gone for one in self._rows[ANSWER]):
            self._add(self._named(), work)
            self._spread(work)
        of_kind = {
            kind: [row for own_id, row in rows.items() if (kind, own_id) in self._gone]
            for kind, rows in self._rows.items()
        }
        gone = Kept(of_kind[ANSWER], of_kind[STEP], of_kind[LESSON], of_kind[SAID], [])
        return Drawn(gone, sorted(self._drew_on))

    def _new(self, kept: Kept) -> list[tuple[str, str, Any]]:
        """Note what is there, and return what was not before; all of it if something no longer is."""
        new = self._unknown(kept)
        there = sum(len(getattr(kept, kind.field)) for kind in _KINDS.values())
        if len(new) + sum(map(len, self._rows.values())) != there:
            self._begin()  # what drew on that may not have drawn on an element
            new = self._unknown(kept)
        for kind, own_id, row in new:
            self._rows[kind][own_id] = row
        return new

    def _unknown(self, kept: Kept) -> list[tuple[str, str, Any]]:
        new: list[tuple[str, str, Any]] = []
        for name, kind in _KINDS.items():
            known = self._rows[name]
            for row in getattr(kept, kind.field):
                own_id = getattr(row, kind.own_id)
                before = known.get(own_id)
                if before is row:
                    continue
                if before is None or any(
                    getattr(before, one) != getattr(row, one) for one in kind.sources
                ):
                    new.append((name, own_id, row))
                else:
                    known[own_id] = row  # it was judged, say, and drew on what it did before
        return new

    def _origin(self, kind: str, row: Any) -> tuple[set[str], list[Piece]]:
        """Return on which elements something drew, and on what else in its session."""
        if kind == ANSWER:
            self._answers.append(row.qa_id)
            used = (one for some in (row.used_graph_element_ids or {}).values() for one in some)
            taught = [(LESSON, one) for one in row.used_session_context_ids or ()]
            return self._elements.among(used), taught
        if kind == STEP:
            self._steps.append(row)
            self._elements_in.look([row])
            return self._elements.among(self._elements_in.names[row.own_id]), []
        if kind == SAID:
            answers = [one for one in (row.qa_id, *row.referenced_qa_ids) if one is not None]
            lessons = [(LESSON, one) for one in row.influencing_context_ids]
            return set(), [*((ANSWER, one) for one in answers), *lessons]
        said = [(SAID, one) for one in row.source_feedback_ids]
        return set(), [*said, *((STEP, one) for one in row.source_trace_ids)]

    def _named(self) -> Iterator[tuple[Piece, Piece]]:
        """Yield each answer that a step names, with the step, if that was not told before.

        Looked for at once for all answers: one after the other, each would be in all texts.
        """
        self._answers_in.look(self._steps, self._answers)
        steps, answers = {step.own_id for step in self._steps}, {*self._answers}
        self._steps, self._answers = [], []
        for step_id in self._rows[STEP]:
            named = self._answers_in.names[step_id]
            for qa_id in named if step_id in steps else named & answers:
                yield (ANSWER, qa_id), (STEP, step_id)

    def _add(self, edges: Iterable[tuple[Piece, Piece]], work: list[Piece]) -> None:
        for source, user in edges:
            self._users[source].append(user)
            if source in self._gone:
                work.append(user)

    def _spread(self, work: list[Piece]) -> None:
        while work:
            piece = work.pop()
            if piece not in self._gone:
                self._gone.add(piece)
                work += self._users.get(piece, ())


def _found(named: Iterable[NamedIds], texts: Iterable[str]) -> set[str]:
    return {one for text in texts for some in named for one in some.found_in(text)}


def _texts(step: Span) -> list[str]:
    # What the attributes are called is said by us, and the same of every step.
    said: Any = [step.input, step.output, step.error, *step.attributes.values()]
    return list(texts_within(said, names=True))
