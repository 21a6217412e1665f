"""The tools that snakepit's workers run in the comparison."""

from __future__ import annotations

import sys

from snakepit_bridge import tool

__thread_safe__ = True


@tool
def echo(data: bytes) -> bytes:
    """What came in."""
    return data


@tool
def imported() -> list[str]:
    """Everything this worker has imported, but for this module."""
    return sorted(name for name in sys.modules if name != __name__)
