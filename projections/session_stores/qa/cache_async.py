"""Cognee's CacheDBInterface of Python on a ledger: user first, None keeps, for tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.plans import arun

from ...readers.arguments import instance
from . import entries, guidance, pruning, steps, values
from .guidance import Guidance
from .ids import Key, canonical
from .records import SessionQAEntry, SessionQAUpdate, SessionTraceStep, Stored
from .store_async import AsyncQAStore
from .values import USAGE_TTL_S


class AsyncCogneeCache:
    """A store under the names, and in the order of arguments, of cognee's Python caches.

    The same sessions as the store's. Where the two differ, this is Python's side: None keeps a
    field, and an empty dict or list of used ids clears it. There are no locks to acquire: every
    write here is atomic.
    """

    def __init__(self, store: AsyncQAStore) -> None:
        self._core = instance(store, "store", AsyncQAStore).core

    async def create_qa_entry(
        self,
        user_id: Key | None,
        session_id: Key,
        question: str,
        context: str | None,
        answer: str,
        qa_id: Key | None = None,
        feedback_text: str | None = None,
        feedback_score: int | None = None,
        used_graph_element_ids: Mapping[str, Sequence[str]] | None = None,
        memify_metadata: Mapping[str, bool] | None = None,
        used_session_context_ids: Sequence[str] | None = None,
    ) -> Stored:
        """Record an answered question; see QAStore.create_qa_entry."""
        plan = entries.create(
            self._core,
            self._core.place(session_id, user_id),
            question,
            answer,
            context,
            qa_id=qa_id,
            dataset_id=None,
            feedback_text=feedback_text,
            feedback_score=feedback_score,
            used_graph_element_ids=used_graph_element_ids,
            used_session_context_ids=used_session_context_ids,
            memify_metadata=memify_metadata,
        )
        return await arun(plan)

    async def get_latest_qa_entries(
        self, user_id: Key | None, session_id: Key, last_n: int = 5
    ) -> list[SessionQAEntry]:
        """Return the last answers of a session; 0 are none."""
        place = self._core.place(session_id, user_id)
        return await arun(entries.entries(self._core, place, last_n))

    async def get_all_qa_entries(
        self, user_id: Key | None, session_id: Key
    ) -> list[SessionQAEntry]:
        """Return all answers of a session."""
        return await arun(entries.entries(self._core, self._core.place(session_id, user_id), None))

    async def get_qa_entries_by_ids(
        self, user_id: Key | None, session_id: Key, qa_ids: Iterable[Key]
    ) -> list[SessionQAEntry]:
        """Return the answers that have some of these ids, oldest first."""
        return await arun(entries.by_ids(self._core, self._core.place(session_id, user_id), qa_ids))

    async def update_qa_entry(
        self,
        user_id: Key | None,
        session_id: Key,
        qa_id: Key,
        question: str | None = None,
        context: str | None = None,
        answer: str | None = None,
        feedback_text: str | None = None,
        feedback_score: int | None = None,
        used_graph_element_ids: Mapping[str, Sequence[str]] | None = None,
        memify_metadata: Mapping[str, bool] | None = None,
        used_session_context_ids: Sequence[str] | None = None,
    ) -> bool:
        """Change what is not None of an answer; flags are merged."""
        updates = SessionQAUpdate.keeping_none(
            question=question,
            context=context,
            answer=answer,
            feedback_text=feedback_text,
            feedback_score=feedback_score,
            used_graph_element_ids=used_graph_element_ids,
            memify_metadata=memify_metadata,
            used_session_context_ids=used_session_context_ids,
        )
        place = self._core.place(session_id, user_id)
        return await arun(entries.update(self._core, place, qa_id, updates))

    async def delete_feedback(self, user_id: Key | None, session_id: Key, qa_id: Key) -> bool:
        """Take score and text of an answer back."""
        place = self._core.place(session_id, user_id)
        return await arun(entries.delete_feedback(self._core, place, qa_id))

    async def delete_qa_entry(self, user_id: Key | None, session_id: Key, qa_id: Key) -> bool:
        """Take an answer out of its session."""
        return await arun(entries.delete(self._core, self._core.place(session_id, user_id), qa_id))

    async def delete_session(self, user_id: Key | None, session_id: Key) -> bool:
        """Hide all that a session has."""
        return await arun(pruning.delete_session(self._core, self._core.place(session_id, user_id)))

    async def append_agent_trace_step(
        self,
        user_id: Key | None,
        session_id: Key,
        trace_id: Key,
        origin_function: str,
        status: str,
        memory_query: str = "",
        memory_context: str = "",
        method_params: Mapping[str, Any] | None = None,
        method_return_value: Any = None,
        error_message: str = "",
        session_feedback: str = "",
    ) -> Stored:
        """Append a step of an agent; see QAStore.save_trace_step."""
        step = SessionTraceStep(
            trace_id=canonical(trace_id, "trace_id"),
            origin_function=origin_function,
            status=status,
            memory_query=memory_query,
            memory_context=memory_context,
            method_params={} if method_params is None else method_params,
            method_return_value=method_return_value,
            error_message=error_message,
            session_feedback=session_feedback,
        )
        return await arun(steps.save(self._core, self._core.place(session_id, user_id), step, None))

    async def get_agent_trace_session(
        self, user_id: Key | None, session_id: Key, last_n: int | None = None
    ) -> list[SessionTraceStep]:
        """Return the steps of a session, or the last of them."""
        return await arun(steps.steps(self._core, self._core.place(session_id, user_id), last_n))

    async def get_agent_trace_feedback(
        self, user_id: Key | None, session_id: Key, last_n: int | None = None
    ) -> list[str]:
        """Return what each step, or each of the last, says about itself."""
        return await arun(steps.feedback(self._core, self._core.place(session_id, user_id), last_n))

    async def get_agent_trace_count(self, user_id: Key | None, session_id: Key) -> int:
        """Return how many steps a session has."""
        return await arun(steps.count(self._core, self._core.place(session_id, user_id)))

    async def create_session_context_entry(
        self, user_id: Key | None, session_id: Key, entry_dump: Guidance
    ) -> Stored:
        """Put guidance or feedback into a session; one of the same id is replaced."""
        return await arun(
            guidance.create(self._core, self._core.place(session_id, user_id), entry_dump)
        )

    async def get_session_context_entries(
        self, user_id: Key | None, session_id: Key
    ) -> list[Guidance]:
        """Return guidance and feedback of a session, in the order in which they were first put."""
        return await arun(guidance.entries(self._core, self._core.place(session_id, user_id)))

    async def update_session_context_entry(
        self, user_id: Key | None, session_id: Key, entry_id: Key, merge: Mapping[str, Any]
    ) -> bool:
        """Change fields of one entry."""
        place = self._core.place(session_id, user_id)
        return await arun(guidance.update(self._core, place, entry_id, merge))

    async def delete_session_context_entry(
        self, user_id: Key | None, session_id: Key, entry_id: Key
    ) -> bool:
        """Remove one entry."""
        place = self._core.place(session_id, user_id)
        return await arun(guidance.delete(self._core, place, entry_id))

    async def delete_session_context(self, user_id: Key | None, session_id: Key) -> bool:
        """Remove guidance and feedback of a session; False if there is none."""
        return await arun(guidance.delete_all(self._core, self._core.place(session_id, user_id)))

    async def get_value(self, key: str) -> Any:
        """Return the value under a key, or None."""
        return await arun(values.value(self._core, key))

    async def set_value(self, key: str, value: Any, ttl: float | None = None) -> int:
        """Keep a JSON value under a key for `ttl` seconds, or for ever; return the sequence."""
        return await arun(values.set_value(self._core, key, value, ttl))

    async def delete_value(self, key: str) -> bool:
        """Take the value under a key away; False if there is none."""
        return await arun(values.delete_value(self._core, key))

    async def log_usage(
        self, user_id: Key | None, log_entry: Mapping[str, Any], ttl: float | None = USAGE_TTL_S
    ) -> int:
        """Note what a user called and return the sequence; the log expires `ttl` seconds later."""
        return await arun(values.log_usage(self._core, user_id, log_entry, ttl))

    async def get_usage_logs(self, user_id: Key | None, limit: int = 100) -> list[dict[str, Any]]:
        """Return what a user called, the last first."""
        return await arun(values.usage_logs(self._core, user_id, limit))

    async def prune(self) -> int:
        """Hide all that the store keeps; see QAStore.prune."""
        return await arun(pruning.prune(self._core, values.tenants(self._core)))

    async def close(self) -> None:
        """Leave the ledger open, which is for whoever opened it to close."""

    async def add_qa(
        self, user_id: Key | None, session_id: Key, question: str, context: str | None, answer: str
    ) -> Stored:
        """Do as create_qa_entry, under its name of old."""
        return await self.create_qa_entry(user_id, session_id, question, context, answer)

    async def get_latest_qa(
        self, user_id: Key | None, session_id: Key, last_n: int = 5
    ) -> list[SessionQAEntry]:
        """Do as get_latest_qa_entries, under its name of old."""
        return await self.get_latest_qa_entries(user_id, session_id, last_n)

    async def get_all_qas(self, user_id: Key | None, session_id: Key) -> list[SessionQAEntry]:
        """Do as get_all_qa_entries, under its name of old."""
        return await self.get_all_qa_entries(user_id, session_id)
