"""Cognee's SessionStore on a ledger: answered questions, feedback, steps and guidance, for tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger import AsyncLedger
from ledger.plans import arun

from ...readers.listing_cursors import ViewPage
from ...views_async import AsyncViews
from ..store_parts import Clock, async_views_for
from . import entries, guidance, pruning, recall, steps, values
from .core import QACore
from .guidance import Guidance
from .ids import Key
from .recall import HISTORY_PAIRS, SCOPES, Recalled
from .records import SessionQAEntry, SessionQAUpdate, SessionTraceStep, Stored


class AsyncQAStore:
    """What users asked, what was answered and learned, in the sessions of a tenant. Safe to share.

    It keeps nothing itself: each call appends facts or reads views, so any number of stores and
    processes see the same. Ids are text or UUIDs, whose two text forms are one id. Sessions of
    different users with one id are different sessions; no user is one owner of its own, whose
    sessions have the same ids in every other store. For a user's see `ledger_session_id`.

    A session that nobody wrote to for `session_ttl_s` seconds is absent here, whole, and begins
    anew when it is written to; None and 0 are no expiry. What other stores wrote in it stays, and
    then so do its status, dataset and sums. `clock` returns the current time, aware.

    Lists are oldest first, and empty where there is nothing; changes return whether what they
    change was there. Errors are the ledger's and the views', IdTaken and SessionBusy.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        views: AsyncViews | None = None,
        *,
        tenant: str = "",
        session_ttl_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.core = QACore(ledger, async_views_for(ledger, views), tenant, session_ttl_s, clock)

    async def create_qa_entry(
        self,
        session_id: Key,
        question: str,
        answer: str,
        context: str | None = None,
        *,
        user_id: Key | None = None,
        qa_id: Key | None = None,
        dataset_id: Key | None = None,
        feedback_text: str | None = None,
        feedback_score: int | None = None,
        used_graph_element_ids: Mapping[str, Sequence[str]] | None = None,
        used_session_context_ids: Sequence[str] | None = None,
        memify_metadata: Mapping[str, bool] | None = None,
    ) -> Stored:
        """Record an answered question, as one fact, and return its id and sequence.

        With a `qa_id` repeating the call stores nothing; other content under it raises IdTaken.
        The session's `dataset_id` is what was first given.
        """
        place = self.core.place(session_id, user_id)
        plan = entries.create(
            self.core,
            place,
            question,
            answer,
            context,
            qa_id=qa_id,
            dataset_id=dataset_id,
            feedback_text=feedback_text,
            feedback_score=feedback_score,
            used_graph_element_ids=used_graph_element_ids,
            used_session_context_ids=used_session_context_ids,
            memify_metadata=memify_metadata,
        )
        return await arun(plan)

    async def get_latest_qa_entries(
        self, session_id: Key, last_n: int = 5, *, user_id: Key | None = None
    ) -> list[SessionQAEntry]:
        """Return the last answers of a session; 0 are none."""
        return await arun(entries.entries(self.core, self.core.place(session_id, user_id), last_n))

    async def get_all_qa_entries(
        self, session_id: Key, *, user_id: Key | None = None
    ) -> list[SessionQAEntry]:
        """Return all answers of a session."""
        return await arun(entries.entries(self.core, self.core.place(session_id, user_id), None))

    async def get_qa_entries_by_ids(
        self, session_id: Key, qa_ids: Iterable[Key], *, user_id: Key | None = None
    ) -> list[SessionQAEntry]:
        """Return the answers that have some of these ids; ids that are not there are no error."""
        return await arun(entries.by_ids(self.core, self.core.place(session_id, user_id), qa_ids))

    async def latest_qa_id(self, session_id: Key, *, user_id: Key | None = None) -> str | None:
        """Return the id of the last answer of a session, or None."""
        return await arun(entries.latest_id(self.core, self.core.place(session_id, user_id)))

    async def update_qa_entry(
        self,
        session_id: Key,
        qa_id: Key,
        updates: SessionQAUpdate,
        *,
        user_id: Key | None = None,
    ) -> bool:
        """Change what an update sets of an answer; one that sets nothing stores nothing."""
        place = self.core.place(session_id, user_id)
        return await arun(entries.update(self.core, place, qa_id, updates))

    async def delete_qa_entry(
        self, session_id: Key, qa_id: Key, *, user_id: Key | None = None
    ) -> bool:
        """Take an answer out of its session."""
        return await arun(entries.delete(self.core, self.core.place(session_id, user_id), qa_id))

    async def add_feedback(
        self,
        session_id: Key,
        qa_id: Key,
        *,
        score: int | None = None,
        text: str | None = None,
        user_id: Key | None = None,
    ) -> bool:
        """Judge an answer, from 1 to 5 and in words; what is None stays as it was.

        A score lets the feedback weights be applied again.
        """
        place = self.core.place(session_id, user_id)
        return await arun(entries.add_feedback(self.core, place, qa_id, score, text))

    async def delete_feedback(
        self, session_id: Key, qa_id: Key, *, user_id: Key | None = None
    ) -> bool:
        """Take score and text of an answer back; its flags stay."""
        place = self.core.place(session_id, user_id)
        return await arun(entries.delete_feedback(self.core, place, qa_id))

    async def delete_session(self, session_id: Key, *, user_id: Key | None = None) -> bool:
        """Hide all that a session has, whoever wrote it; what is written later begins anew."""
        return await arun(pruning.delete_session(self.core, self.core.place(session_id, user_id)))

    async def delete_dataset(self, dataset_id: Key) -> int:
        """Hide all sessions of a dataset, of all users, and return how many there were.

        Those that have expired go, too, and are not counted.
        """
        return await arun(pruning.delete_dataset(self.core, dataset_id))

    async def prune(self) -> int:
        """Hide all that this store keeps, of all users, and return in how many sessions.

        Sessions that have expired are not counted. What other stores wrote stays, also in the same
        sessions, and so do the sums of what was used there. Reads every event of the tenant.
        """
        return await arun(pruning.prune(self.core, values.tenants(self.core)))

    async def forget_elements(
        self, element_ids: Iterable[str], *, dataset_id: Key | None = None
    ) -> int:
        """Redact what drew on elements of the graph, and return in how many sessions.

        Answers that used them, steps that name them, feedback on such answers, guidance learned
        from it, and later answers that used that guidance. The snapshot of the graph stays: it is
        one text, so set a new one. Of a session that has expired all goes, and it is not counted.
        Each session is done at once or not at all, and is told the elements that it drew on.
        """
        return await arun(pruning.forget_elements(self.core, element_ids, dataset_id))

    async def get_graph_context(self, session_id: Key, *, user_id: Key | None = None) -> str | None:
        """Return a session's snapshot of the knowledge graph, or None."""
        return await arun(steps.graph_context(self.core, self.core.place(session_id, user_id)))

    async def set_graph_context(
        self, session_id: Key, context: str | None, *, user_id: Key | None = None
    ) -> int:
        """Replace a session's snapshot of the knowledge graph, None removes it; return the sequence."""
        place = self.core.place(session_id, user_id)
        return await arun(steps.set_graph_context(self.core, place, context))

    async def save_trace_step(
        self,
        session_id: Key,
        step: SessionTraceStep,
        *,
        user_id: Key | None = None,
        dataset_id: Key | None = None,
    ) -> Stored:
        """Append a step of an agent and return its id and sequence.

        Objects that JSON does not know are kept as their type, and their id if they tell one. Names
        that are the same as text are refused. A `trace_id` is as a `qa_id`.
        """
        place = self.core.place(session_id, user_id)
        return await arun(steps.save(self.core, place, step, dataset_id))

    async def read_trace_steps(
        self, session_id: Key, *, last_n: int | None = None, user_id: Key | None = None
    ) -> list[SessionTraceStep]:
        """Return the steps of a session, or the last of them."""
        return await arun(steps.steps(self.core, self.core.place(session_id, user_id), last_n))

    async def read_trace_feedback(
        self, session_id: Key, *, last_n: int | None = None, user_id: Key | None = None
    ) -> list[str]:
        """Return what each step, or each of the last, says about itself."""
        return await arun(steps.feedback(self.core, self.core.place(session_id, user_id), last_n))

    async def count_trace_steps(self, session_id: Key, *, user_id: Key | None = None) -> int:
        """Return how many steps a session has."""
        return await arun(steps.count(self.core, self.core.place(session_id, user_id)))

    async def create_session_context(
        self, session_id: Key, entry: Guidance, *, user_id: Key | None = None
    ) -> Stored:
        """Put guidance or feedback into a session; one of the same id is replaced."""
        return await arun(guidance.create(self.core, self.core.place(session_id, user_id), entry))

    async def get_session_context(
        self, session_id: Key, *, user_id: Key | None = None
    ) -> list[Guidance]:
        """Return guidance and feedback of a session, in the order in which they were first put."""
        return await arun(guidance.entries(self.core, self.core.place(session_id, user_id)))

    async def update_session_context(
        self,
        session_id: Key,
        entry_id: Key,
        changes: Mapping[str, Any],
        *,
        user_id: Key | None = None,
    ) -> bool:
        """Change fields of one entry; feedback that is changed is then the newest."""
        place = self.core.place(session_id, user_id)
        return await arun(guidance.update(self.core, place, entry_id, changes))

    async def rate_session_context(
        self,
        session_id: Key,
        entry_id: Key,
        *,
        helpful: int = 0,
        harmful: int = 0,
        user_id: Key | None = None,
    ) -> bool:
        """Count how often guidance helped or did harm, in addition to what was counted before."""
        place = self.core.place(session_id, user_id)
        return await arun(guidance.rate(self.core, place, entry_id, helpful, harmful))

    async def delete_session_context_entry(
        self, session_id: Key, entry_id: Key, *, user_id: Key | None = None
    ) -> bool:
        """Remove one entry of guidance or feedback."""
        return await arun(
            guidance.delete(self.core, self.core.place(session_id, user_id), entry_id)
        )

    async def delete_session_context(self, session_id: Key, *, user_id: Key | None = None) -> bool:
        """Remove guidance and feedback of a session; False if there is none."""
        return await arun(guidance.delete_all(self.core, self.core.place(session_id, user_id)))

    async def history(
        self,
        session_id: Key,
        *,
        last_n: int | None = HISTORY_PAIRS,
        matching: str | None = None,
        user_id: Key | None = None,
    ) -> list[SessionQAEntry]:
        """Return the last answers of a session and those that a text reminds of, each once.

        `qa.as_messages` and `qa.as_text` make a prompt's history of them.
        """
        place = self.core.place(session_id, user_id)
        return await arun(recall.history(self.core, place, last_n, matching))

    async def recall(
        self,
        session_id: Key,
        text: str,
        *,
        scopes: Sequence[str] = SCOPES,
        limit: int = 10,
        user_id: Key | None = None,
    ) -> list[Recalled]:
        """Return what has a word of a text in a session, the most words first, then the newest.

        Scopes are session, trace and session_context. Words are found whole; those of one or two
        letters are not looked for.
        """
        place = self.core.place(session_id, user_id)
        return await arun(recall.recall(self.core, place, text, scopes, limit))

    async def recall_across_sessions(
        self,
        text: str,
        *,
        user_id: Key | None = None,
        everyone: bool = False,
        limit: int = 10,
    ) -> list[Recalled]:
        """Return the answers that have a word of a text, of one owner's sessions or of `everyone`.

        Ranked as in `recall`, of the 200 newest answers that have each word. Steps and guidance are
        found within their session, by `recall`. Reads as `search` does.
        """
        plan = recall.recall_across(self.core, text, user_id, everyone=everyone, limit=limit)
        return await arun(plan)

    async def search(
        self,
        text: str,
        *,
        session_id: Key | None = None,
        user_id: Key | None = None,
        everyone: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> ViewPage[SessionQAEntry]:
        """Return a page of one owner's answers in which all words occur, in one session or all.

        The newest first, by full text; `everyone` searches those of all users. The full text knows
        sessions and no owners: without a session the answers of all users that have the words are
        read, the newest first, until a page is full of the owner's.
        """
        plan = recall.search(
            self.core,
            text,
            session_id,
            user_id,
            everyone=everyone,
            limit=limit,
            cursor=cursor,
        )
        return await arun(plan)
