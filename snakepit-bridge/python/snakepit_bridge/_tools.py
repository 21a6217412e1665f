"""What adapters are written with."""

from __future__ import annotations

# `typing` is for checkers only: a worker starts without it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Literal, TypeVar, overload

    Function = TypeVar("Function", bound=Callable[..., Any])

MARK = "__snakepit_tool__"


class Mark:
    """What ``tool`` leaves on a function."""

    __slots__ = ("description", "idempotent", "interruptible", "name")

    def __init__(self, name: str | None, description: str | None, idempotent: bool, interruptible: bool) -> None:
        self.name = name
        self.description = description
        self.idempotent = idempotent
        self.interruptible = interruptible


if TYPE_CHECKING:

    @overload
    def tool(function: Function, /) -> Function: ...
    @overload
    def tool(
        *,
        name: str | None = None,
        description: str | None = None,
        idempotent: bool = False,
        cancel: Literal["forced", "cooperative"] = "forced",
    ) -> Callable[[Function], Function]: ...


def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    idempotent: bool = False,
    cancel: str = "forced",
    **unknown: object,
) -> Any:
    """Marks a function, or a method of an adapter class, as something callers may call.

    ``name`` is what callers call it, by default the function's own name; ``description`` is one line for people, by
    default the first line of its docstring. ``idempotent`` promises that running it twice does no harm, so that a call
    may be tried again on another worker when its first worker died with it.

    ``cancel`` says what may be done to code that nobody waits for any more. It is told first, by ``context()``. With
    ``"forced"`` it is interrupted if it does not end by itself: its task is cancelled where it is a coroutine, then
    ``Cancelled`` is raised in its thread, wherever that is. With ``"cooperative"`` it is only told. Either way a worker
    whose code does not end is killed.

    The function itself is returned, unchanged.
    """
    if unknown:
        names = ", ".join(unknown)
        raise TypeError(f"@tool takes name, description, idempotent and cancel, not {names}")
    if not isinstance(idempotent, bool):
        raise TypeError(f"@tool: idempotent is True or False, not {idempotent!r}")
    if cancel not in ("forced", "cooperative"):
        raise ValueError(f"@tool: cancel is 'forced' or 'cooperative', not {cancel!r}")
    mark = Mark(name, description, idempotent, cancel == "forced")
    if function is None:
        return lambda decorated: _marked(decorated, mark)
    return _marked(function, mark)


def _marked(function: Any, mark: Mark) -> Any:
    target = function.__func__ if isinstance(function, (staticmethod, classmethod)) else function
    if not callable(target) or isinstance(target, type):
        raise TypeError(f"@tool marks functions and methods, not {target!r}")
    try:
        setattr(target, MARK, mark)
    except AttributeError:
        message = f"{target!r} cannot be marked as a tool: call it in a function of your own"
        raise TypeError(message) from None
    return function


class BaseAdapter:
    """An adapter with a state: its methods marked with ``@tool`` are the tools.

    One instance lives as long as its worker.
    """

    def initialize(self) -> Any:
        """Runs once, before the worker is ready: load the model, warm up. May be ``async``."""

    def cleanup(self) -> Any:
        """Runs once, after the last call of a worker that ends in peace. May be ``async``."""


class ThreadSafeAdapter(BaseAdapter):
    """An adapter whose tools may run in several threads at once."""

    __thread_safe__ = True
