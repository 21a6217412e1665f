"""A callable's parameters and how Python writes them, read off its code object.

``inspect.signature`` does more, and importing it (with ``ast``, ``dis``, ``enum`` and ``tokenize``) costs a worker's
start more than everything else here together.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

# Flags of a code object, as `inspect` calls them.
VARARGS = 0x04
VARKEYWORDS = 0x08
GENERATOR = 0x20
COROUTINE = 0x80
ITERABLE_COROUTINE = 0x100
ASYNC_GENERATOR = 0x200

# Longest text of one default or annotation, in characters.
_TEXT_MAX = 120


class Parameters:
    """The parameters that can be given by name."""

    __slots__ = ("named", "open", "positional_only", "text")

    def __init__(self, named: list[tuple[str, bool]], *, open: bool, positional_only: list[str], text: str) -> None:
        # Pairs of a name and whether it must be given.
        self.named = named
        # Whether any other name is accepted too.
        self.open = open
        # Names that must be given and cannot be given by name.
        self.positional_only = positional_only
        # Like `(values: list[float]) -> float`; empty where it is not known.
        self.text = text


def parameters(function: Any) -> Parameters:
    """Of what is called. A decorated function is shown as what it wraps, but checked as what it is."""
    plain, bound = _plain(function)
    if plain is None:
        # Written in C, a `functools.partial` and the like: only the call itself can tell.
        return Parameters([], open=True, positional_only=[], text=text(_innermost(function)))
    code = plain.__code__
    names = code.co_varnames
    positional = names[: code.co_argcount]
    keyword = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    optional = set(positional[len(positional) - len(plain.__defaults__ or ()) :]) | set(plain.__kwdefaults__ or ())
    skipped = 1 if bound else 0
    by_position = positional[skipped : code.co_posonlyargcount]
    by_name = positional[max(skipped, code.co_posonlyargcount) :] + keyword
    return Parameters(
        [(name, name not in optional) for name in by_name],
        open=bool(code.co_flags & VARKEYWORDS),
        positional_only=[name for name in by_position if name not in optional],
        text=text(_innermost(function)),
    )


def flags(function: Any) -> int:
    """Flags of its code; 0 where it has none."""
    plain, _ = _plain(function)
    return plain.__code__.co_flags if plain is not None else 0


def may_be_awaited(function: Any) -> bool:
    """Whether calling it gives a coroutine, or wraps what does."""
    return bool((flags(function) | flags(_innermost(function))) & (COROUTINE | ITERABLE_COROUTINE))


def text(function: Any) -> str:
    """As Python writes it, without the bound first parameter."""
    plain, bound = _plain(function)
    if plain is None:
        return ""
    try:
        annotations = plain.__annotations__
    except Exception:
        # Where they are evaluated late, they may name what does not exist.
        annotations = {}
    parts = _written(plain, plain.__code__, annotations)
    if bound and parts:
        del parts[0]
        if parts and parts[0] == "/":
            del parts[0]
    returned = f" -> {_annotation(annotations['return'])}" if "return" in annotations else ""
    return f"({', '.join(parts)}){returned}"


def _written(function: FunctionType, code: CodeType, annotations: dict[str, Any]) -> list[str]:
    names = list(code.co_varnames)
    count, keywords = code.co_argcount, code.co_kwonlyargcount
    defaults: dict[str, Any] = dict(function.__kwdefaults__ or {})
    given = function.__defaults__ or ()
    defaults.update(zip(names[count - len(given) : count], given))

    def one(name: str, prefix: str = "") -> str:
        written = prefix + name
        if name in annotations:
            written += f": {_annotation(annotations[name])}"
        if name in defaults:
            equals = " = " if name in annotations else "="
            written += equals + _short(defaults[name])
        return written

    parts = [one(name) for name in names[:count]]
    if code.co_posonlyargcount:
        parts.insert(code.co_posonlyargcount, "/")
    after = count + keywords
    if code.co_flags & VARARGS:
        parts.append(one(names[after], "*"))
        after += 1
    elif keywords:
        parts.append("*")
    parts.extend(one(name) for name in names[count : count + keywords])
    if code.co_flags & VARKEYWORDS:
        parts.append(one(names[after], "**"))
    return parts


def _plain(function: Any) -> tuple[FunctionType | None, bool]:
    """The Python function behind a callable, and whether its first parameter is filled in already."""
    # A method first: it passes for the function it binds when it is asked for `__code__`.
    inner = getattr(function, "__func__", None)
    if inner is None and not hasattr(function, "__code__"):
        inner = getattr(type(function), "__call__", None)  # noqa: B004 (it is the method that is wanted)
    bound = inner is not None
    plain = inner if bound else function
    return (plain, bound) if hasattr(plain, "__code__") else (None, False)


def _innermost(function: Any) -> Any:
    seen = 0
    while hasattr(function, "__wrapped__") and seen < 64:
        owner = getattr(function, "__self__", None)
        function = function.__wrapped__
        if owner is not None and hasattr(function, "__get__"):
            # What a method wraps takes the instance as well.
            function = function.__get__(owner)
        seen += 1
    return function


def _annotation(annotation: Any) -> str:
    if annotation is None:
        return "None"
    if isinstance(annotation, str):
        return annotation[:_TEXT_MAX]
    # Not `isinstance`: `list[int]` passes for a type on 3.9 and 3.10.
    if issubclass(type(annotation), type):
        name = annotation.__qualname__
        return name if annotation.__module__ == "builtins" else f"{annotation.__module__}.{name}"
    return _short(annotation).replace("typing.", "")


def _short(value: object) -> str:
    try:
        written = repr(value)
    except Exception:
        return "..."
    return written if len(written) <= _TEXT_MAX else "..."
