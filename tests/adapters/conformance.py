"""The tools that the pool's contract is checked with. `tests/src/bin/wire_worker.rs` has the same."""

from __future__ import annotations

import os
import threading
import time

from snakepit_bridge import context, tool

__thread_safe__ = True


@tool
def echo(value: object) -> object:
    """Returns what it was given."""
    return value


@tool(idempotent=True)
def echo_idempotent(value: object) -> object:
    """The same, and says that it may run twice."""
    return value


@tool
def sleep(ms: float) -> None:
    """Waits, unless its caller goes."""
    _wait(time.monotonic() + ms / 1000)


@tool
def hold() -> None:
    """Runs until its caller goes."""
    _wait(float("inf"))


@tool
def busy(ms: float) -> None:
    """Waits, whoever goes."""
    time.sleep(ms / 1000)


@tool
def raise_error(message: str) -> None:
    """Raises."""
    raise ValueError(message)


@tool
def die(code: int) -> None:
    """Ends the process at once."""
    os._exit(code)


@tool
def pid() -> int:
    """Number of its process."""
    return os.getpid()


@tool
def whoami() -> dict[str, object]:
    """Where this call runs."""
    return {"pid": os.getpid(), "worker": context().worker, "thread": threading.current_thread().name}


def _wait(end: float) -> None:
    while True:
        context().check()
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.001))
