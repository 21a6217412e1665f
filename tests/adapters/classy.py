"""An adapter class with state, set up before the first call."""

from __future__ import annotations

import os
import threading

from snakepit_bridge import ThreadSafeAdapter, tool


class Classy(ThreadSafeAdapter):
    """Counts."""

    __thread_safe__ = True

    def initialize(self) -> None:
        """Before the worker is ready."""
        self.lock = threading.Lock()
        self.count = 100

    @tool
    def up(self) -> int:
        """One more."""
        with self.lock:
            self.count += 1
            return self.count

    def cleanup(self) -> None:
        """When the worker stops in peace."""
        path = os.environ.get("CLEANED_UP")
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{self.count}\n")
