"""``async def`` tools. Only imported where an adapter has one, since ``asyncio`` is most of what a start can cost.

Every thread that runs tools has one event loop, made when it is first needed and kept as long as the worker, so that
connections live on from call to call. It runs while a tool of that thread runs: a task that a tool leaves behind goes
on during that thread's next call.

When nobody waits for a call any more its task is cancelled. A task that swallows this may be interrupted in the middle
of the loop's own code. Such a loop is given up, with every task in it, and the thread's next call makes another one.
"""

from __future__ import annotations

import asyncio
from _thread import _local

from snakepit_bridge import _native

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
    _give_up()
    loop = getattr(_thread, "loop", None)
    # It is this thread's loop again once it has stopped as it should, and not where something was raised in between.
    _thread.loop = None
    if loop is None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    _thread.busy = loop
    try:
        task = asyncio.ensure_future(awaitable, loop=loop)
        _native.cancel_by(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            return loop.run_until_complete(task)
        except BaseException:
            # Where the loop itself was left by it, nobody else asks the task.
            if task.done() and not task.cancelled():
                task.exception()
            raise
    finally:
        if _native.was_interrupted():
            _give_up()
        else:
            _thread.busy = None
            _thread.loop = loop


def _give_up() -> None:
    """Leaves a loop that was interrupted, if there is one."""
    loop = getattr(_thread, "busy", None)
    if loop is None:
        return
    # The interruption may have kept the loop from saying itself that it no longer runs.
    asyncio._set_running_loop(None)
    asyncio.set_event_loop(None)
    if not loop.is_running():
        loop.close()
    # Last: where this is interrupted itself, it is done again.
    _thread.busy = None


def close() -> None:
    """Ends this thread's loop, where it has one: cancels what was left behind and waits for it."""
    _give_up()
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
