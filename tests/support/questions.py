"""What a ledger asks its backend, question by question, and what others do behind each of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.support.blocking import LoopThread

Call = Callable[[], Any]


class Questions:
    """Listens to a ledger's backend; `asked` has the names of the methods that were called."""

    def __init__(
        self, ledger: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch, *names: str
    ) -> None:
        self.asked: list[str] = []
        self._steps: Mapping[int, Sequence[Call]] = {}
        self._inside = False
        for name in names:
            method = getattr(ledger.backend, name)
            listening = self._listening if loop is None else self._listening_async
            monkeypatch.setattr(ledger.backend, name, listening(name, method))

    def interrupt(self, steps: Mapping[int, Sequence[Call]]) -> None:
        """Count from here on, and have others call something behind questions, by their numbers."""
        self.asked.clear()
        self._steps = steps

    def _behind(self, name: str) -> None:
        self.asked.append(name)
        for step in self._steps.get(len(self.asked), ()):
            step()

    # What the others ask, or the backend itself to answer, is no question of the ledger's.

    def _listening(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any) -> Any:
            if self._inside:
                return method(*args)
            self._inside = True
            try:
                answer = method(*args)
                self._behind(name)
            finally:
                self._inside = False
            return answer

        return ask

    def _listening_async(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*args: Any) -> Any:
            if self._inside:
                return await method(*args)
            self._inside = True
            try:
                answer = await method(*args)
                await asyncio.to_thread(self._behind, name)
            finally:
                self._inside = False
            return answer

        return ask
