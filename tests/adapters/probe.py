"""Tells where it runs, counts who runs at once, and misbehaves on request."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from snakepit_bridge import context, tool

__thread_safe__ = True

_lock = threading.Lock()
_running = 0
_most = 0
_ran: list[str] = []


@tool
def where() -> dict[str, object]:
    """Process, thread and interpreter of this call."""
    return {
        "pid": os.getpid(),
        "thread": threading.current_thread().name,
        "main": threading.current_thread() is threading.main_thread(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "version": list(sys.version_info[:3]),
        "prefix": sys.prefix,
    }


@tool
def echo(value: object) -> object:
    """Returns what it was given."""
    return value


@tool
def hold(seconds: float = 0.0, mark: str = "", until: str = "") -> dict[str, object]:
    """Sleeps, or waits for a file; tells how many ran at once at most, and when it began and ended (monotonic)."""
    global _running, _most
    with _lock:
        _running += 1
        _most = max(_most, _running)
        if mark:
            _ran.append(mark)
    began = time.monotonic()
    time.sleep(seconds)
    while until and not os.path.exists(until):
        time.sleep(0.005)
    with _lock:
        _running -= 1
        return {"pid": os.getpid(), "most": _most, "began": began, "ended": time.monotonic()}


@tool
def ran() -> list[str]:
    """Marks of the `hold` calls that ever began here."""
    with _lock:
        return list(_ran)


@tool
def environment(name: str) -> str | None:
    """A variable of the worker's environment."""
    return os.environ.get(name)


@tool
def arguments() -> list[str]:
    """`sys.argv` as the adapter sees it."""
    return sys.argv


@tool
def left() -> float | None:
    """Seconds until the deadline of this call."""
    return context().remaining()


@tool
def fail(message: str) -> None:
    """Raises."""
    raise ValueError(message)


@tool
def leave(code: int) -> None:
    """Ends the process without asking anybody."""
    print("about to leave", flush=True)
    os._exit(code)


@tool
def crash() -> None:
    """Reads from address zero."""
    ctypes.string_at(0)


@tool
def imports(name: str) -> str:
    """Imports a module and tells its file."""
    return str(__import__(name).__file__)


@tool
def grandchild() -> int:
    """Starts a process that sleeps, and tells its id."""
    return subprocess.Popen(["sleep", "600"]).pid


@tool
def spin() -> None:
    """A loop in Python."""
    while True:
        pass


@tool
def hold_gil() -> None:
    """C code that keeps the GIL: `usleep` called through the loader that does not release it."""
    ctypes.PyDLL(None).usleep(600_000_000)


@tool
def ignore_signals() -> None:
    """Ignores what can be ignored, then sleeps."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)
