"""Says which interpreter runs it."""

from __future__ import annotations

import os
import platform
import sys
import threading

from snakepit_bridge import tool

__thread_safe__ = True


@tool
def interpreter() -> dict[str, object]:
    """Version of the interpreter, whether its GIL is on, process and thread."""
    return {
        "version": platform.python_version(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "pid": os.getpid(),
        "thread": threading.current_thread().name,
    }
