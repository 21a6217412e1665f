"""``async def`` tools. Only imported where an adapter has one, since ``asyncio`` is most of what a start can cost.

Every thread that runs tools has one event loop, made when it is first needed and kept as long as the worker, so that
connections live on from call to call. It runs while a tool of that thread runs: a task that a tool leaves behind goes
on during that thread's next call.
"""

from __future__ import annotations

import asyncio
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, Callable

_thread = _local()


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function that calls ``function`` and waits for what it returns."""

    def call(**arguments: Any) -> Any:
        result = function(**arguments)
        # A decorator around a coroutine function may have done the waiting itself.
        return run(result) if hasattr(result, "__await__") else result

    call.__doc__ = function.__doc__
    return call


def run(awaitable: Awaitable[Any]) -> Any:
    """Waits for it on this thread's loop."""
    loop = getattr(_thread, "loop", None)
    if loop is None:
        loop = _thread.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop.run_until_complete(awaitable)


def close() -> None:
    """Ends this thread's loop, where it has one: cancels what was left behind and waits for it."""
    loop = getattr(_thread, "loop", None)
    if loop is None:
        return
    _thread.loop = None
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
