"""Code that does not stop by itself, or not when it is told to."""

from __future__ import annotations

import asyncio
import collections
import itertools
import os
import random
import re
import threading
import time

from snakepit_bridge import Cancelled, context, tool

__thread_safe__ = True

_MUCH = [0] * 200_000


@tool
def echo(value: object) -> object:
    """Returns what it was given."""
    return value


@tool
def where() -> int:
    """The process that it runs in."""
    return os.getpid()


@tool
def spin() -> None:
    """A loop in Python."""
    while True:
        pass


@tool
def nap() -> None:
    """Blocks without the GIL."""
    time.sleep(1e9)


@tool
def deadlock() -> None:
    """Waits for what it has."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@tool
def backtrack() -> None:
    """Blocks with the GIL, and looks for signals."""
    re.match("(a+)+$", "a" * 64 + "b")


@tool
def deaf() -> None:
    """Blocks with the GIL, and looks for nothing."""
    collections.deque(itertools.repeat(None), maxlen=0)


@tool
def polite() -> None:
    """Looks whether anybody waits."""
    while True:
        context().check()
        time.sleep(0.01)


@tool
def deny() -> None:
    """Takes everything that is raised in it for a mistake."""
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            pass


@tool
async def doze() -> None:
    """A task that can be cancelled."""
    await asyncio.sleep(1e9)


@tool
async def stubborn() -> None:
    """A task that swallows that it is cancelled."""
    while True:
        try:
            await asyncio.sleep(1e9)
        except asyncio.CancelledError:
            pass


@tool
async def wait(seconds: float) -> float:
    """A task of an ordinary kind."""
    await asyncio.sleep(seconds)
    return seconds


@tool
def honest(seconds: float) -> float:
    """Takes its time, and ends."""
    time.sleep(seconds)
    return seconds


@tool(cancel="cooperative")
def unhurried(seconds: float) -> None:
    """Looks at nothing, and is not to be interrupted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@tool
def shielded(seconds: float, diary: str) -> None:
    """Is not to be interrupted in the middle of what it writes."""
    with open(diary, "a", encoding="utf-8", buffering=1) as file:
        try:
            with context().shield():
                file.write("begun ")
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    time.sleep(0.001)
                file.write("done ")
            file.write("unreachable ")
        except Cancelled:
            file.write("cancelled")
            raise


@tool
def tidy(diary: str) -> None:
    """Puts things in order when it is interrupted."""
    try:
        time.sleep(1e9)
    finally:
        with open(diary, "w", encoding="utf-8") as file:
            file.write("tidy")


@tool
def narrow(after: float, spread: float, spared: int = 0) -> list[int]:
    """Ends about so long after its caller has gone: when it is to be interrupted, so often before and so often after.

    So many interruptions it takes for mistakes. What it returns keeps the bridge busy for a while, in which no Python
    runs: an exception that is set then has not been raised as the call ends.
    """
    while not context().cancelled:
        time.sleep(0.0005)
    end = time.monotonic() + after + random.uniform(-spread, spread)
    while True:
        try:
            while end - time.monotonic() > 0.02:
                time.sleep(0.005)
            while time.monotonic() < end:
                pass
            return _MUCH
        except Cancelled:
            if not spared:
                raise
            spared -= 1


@tool
def innocent(number: int) -> int:
    """A few thousand steps in which something could be raised."""
    for _ in range(2000):
        number += 1
    return number - 2000
