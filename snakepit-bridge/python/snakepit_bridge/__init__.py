"""Python functions as tools of a snakepit host.

Mark what callers may call::

    from snakepit_bridge import tool, context

    @tool
    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

A tool is a plain function of a module, or a method of a ``BaseAdapter``. It is called with keyword arguments only, and
returns ``None``, ``bool``, ``int``, ``float``, ``str``, bytes, lists, tuples and dicts with ``str`` keys of these.
Importing this package is cheap and has no effect: outside a worker, tools are the functions that they were.
"""

from __future__ import annotations

from snakepit_bridge._tools import BaseAdapter, ThreadSafeAdapter, tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from snakepit_bridge._native import Cancelled, Context, context

__version__ = "0.1.0"

__all__ = ["BaseAdapter", "Cancelled", "Context", "ThreadSafeAdapter", "__version__", "context", "tool"]


def __getattr__(name: str) -> object:
    # Looked up when first used: marking tools needs no extension module, so an adapter can be imported and tested by
    # any interpreter.
    if name in ("Cancelled", "Context", "context"):
        from snakepit_bridge import _native

        value: object = getattr(_native, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
