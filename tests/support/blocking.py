"""An async ledger seen through sync calls, so that one contract test runs on both.

The event loop lives in a thread of its own, which lets a test's threads call the async ledger as
they call the sync one: their calls meet as tasks of one loop.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop running in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return what it returns or raise what it raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Blocking:
    """Any async object as a sync one: coroutine methods block, async iterators iterate."""

    def __init__(self, target: Any, loop: LoopThread) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        return self._wrapped(value) if callable(value) else value

    def __iter__(self) -> Iterator[Any]:
        iterator = aiter(self._target)

        async def step() -> Any:
            try:
                return await anext(iterator)
            except StopAsyncIteration:
                return StopAsyncIteration

        while (item := self._loop.run(step())) is not StopAsyncIteration:
            yield item

    def __enter__(self) -> "Blocking":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _wrapped(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            async def on_loop() -> Any:
                result = method(*args, **kwargs)
                return await result if inspect.isawaitable(result) else result

            result = self._loop.run(on_loop())
            return Blocking(result, self._loop) if hasattr(result, "__aiter__") else result

        return call
