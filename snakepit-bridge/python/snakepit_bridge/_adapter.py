"""Loads an adapter and finds its tools.

An adapter is a module. Its tools are every function in it that is marked with ``@tool``, imported ones included, and
the marked methods of its adapter class: the class that was named, or else the only subclass of ``BaseAdapter`` that the
module itself defines and does not derive further. Where a class was named, only its methods count.

``initialize`` and ``cleanup`` are the class's methods; in a module without an adapter class, they are its functions of
these names.
"""

from __future__ import annotations

import sys

from snakepit_bridge import _signature
from snakepit_bridge._native import Tool
from snakepit_bridge._tools import MARK, BaseAdapter, Mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# Longest summary of a tool, in characters.
_SUMMARY_MAX = 200


class AdapterError(Exception):
    """The module was imported, and is no adapter."""

    __module__ = "snakepit_bridge"


class Adapter:
    """A module, and the one instance of its class where it has one."""

    def __init__(self, module: ModuleType, class_name: str = "") -> None:
        self.module = module
        self._alone = bool(class_name)
        self._class = _named(module, class_name) if class_name else _only_class(module)
        self._instance: Any = None

    @property
    def thread_safe(self) -> bool | None:
        """What the adapter says of itself; ``None`` where it says nothing."""
        declared = getattr(self._class or self.module, "__thread_safe__", None)
        return None if declared is None else bool(declared)

    def create(self) -> None:
        """Makes the instance."""
        if self._class is not None:
            self._instance = self._class()

    def tools(self) -> list[Tool]:
        """The tools, sorted by name. Two of one name are an error."""
        found: dict[str, tuple[Any, Mark]] = {}
        for attribute, function in self._marked():
            mark = getattr(function, MARK)
            name = mark.name or getattr(function, "__name__", attribute)
            known = found.setdefault(name, (function, mark))
            if known[0] != function:
                raise AdapterError(f"two tools of {self.module.__name__} are called {name!r}: give one another `name`")
        return [_tool(name, *found[name]) for name in sorted(found)]

    def initialize(self) -> None:
        """Runs the warm-up."""
        self._run("initialize")

    def cleanup(self) -> None:
        """Runs the clean-up."""
        self._run("cleanup")

    def _marked(self) -> list[tuple[str, Any]]:
        marked = []
        if not self._alone:
            # Only what carries the mark itself: objects that invent attributes when asked are common in modules.
            for name, value in list(vars(self.module).items()):
                if isinstance(getattr(value, "__dict__", {}).get(MARK), Mark):
                    marked.append((name, value))
        if self._class is not None:
            for name in _attributes(self._class):
                # By the class first, so that no property of the instance is run.
                if isinstance(getattr(getattr(self._class, name, None), MARK, None), Mark):
                    marked.append((name, getattr(self._instance, name)))
        return marked

    def _run(self, name: str) -> None:
        if self._class is not None:
            function = getattr(self._instance, name, None)
        else:
            function = vars(self.module).get(name)
            # A helper that was imported from elsewhere is not this module's hook.
            if getattr(function, "__module__", None) != self.module.__name__:
                function = None
        if callable(function):
            result = function()
            if hasattr(result, "__await__"):
                from snakepit_bridge import _async

                _async.run(result)


def import_file(path: str) -> ModuleType:
    """Runs the file as a module of its own name; its folder goes first on ``sys.path``."""
    # `importlib.util` is a shell around these, and imports `typing` on 3.9.
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

    folder, _, file = path.rpartition("/")
    sys.path.insert(0, folder or "/")
    name = file[: -len(".py")] if file.endswith(".py") else file
    name = name.replace(".", "_")
    if name in sys.modules:
        # An adapter called like a module that is there already must not replace it for everybody.
        name = f"{name}_adapter"
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file", path=path)
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def import_module(name: str) -> ModuleType:
    """Imports a module by its full name."""
    # As `importlib.import_module` does for absolute names, without importing `importlib`.
    __import__(name)
    return sys.modules[name]


def _named(module: ModuleType, class_name: str) -> type:
    chosen = getattr(module, class_name, None)
    if not isinstance(chosen, type):
        offered = ", ".join(cls.__name__ for cls in _classes(module)) or "none"
        raise AdapterError(f"module {module.__name__} has no class {class_name!r}; its adapter classes: {offered}")
    return chosen


def _only_class(module: ModuleType) -> type | None:
    classes = _classes(module)
    ends = [cls for cls in classes if not any(other is not cls and issubclass(other, cls) for other in classes)]
    if len(ends) > 1:
        names = ", ".join(cls.__name__ for cls in ends)
        choice = f"name one of them behind the adapter, like `:{ends[0].__name__}`"
        raise AdapterError(f"module {module.__name__} has several adapter classes ({names}): {choice}")
    return ends[0] if ends else None


def _classes(module: ModuleType) -> list[type]:
    return [
        value
        for value in list(vars(module).values())
        if isinstance(value, type) and issubclass(value, BaseAdapter) and value.__module__ == module.__name__
    ]


def _attributes(cls: type) -> list[str]:
    names: dict[str, None] = {}
    for base in cls.__mro__:
        names.update(dict.fromkeys(vars(base)))
    return list(names)


def _tool(name: str, function: Any, mark: Mark) -> Tool:
    known = _signature.parameters(function)
    flags = _signature.flags(function)
    refusal = None
    if flags & (_signature.GENERATOR | _signature.ASYNC_GENERATOR) and not flags & _signature.ITERABLE_COROUTINE:
        refusal = f"{name} is a generator; it cannot be called"
    elif known.positional_only:
        names = ", ".join(f"`{parameter}`" for parameter in known.positional_only)
        refusal = f"{name}{known.text} takes {names} by position only, and arguments are passed by name"
    elif _signature.may_be_awaited(function):
        # Imported now rather than in the first call: a worker that is ready has its warm-up behind it.
        from snakepit_bridge import _async

        function = _async.awaited(function)
    return Tool(
        name,
        function,
        parameters=known.named,
        open=known.open,
        signature=known.text,
        summary=_summary(function if mark.description is None else mark.description),
        idempotent=mark.idempotent,
        interruptible=mark.interruptible,
        refusal=refusal,
    )


def _summary(source: Any) -> str:
    documentation = source if isinstance(source, str) else getattr(source, "__doc__", None)
    if not isinstance(documentation, str) or not documentation.strip():
        return ""
    first = documentation.strip().splitlines()[0].strip()
    return first[:_SUMMARY_MAX].encode("utf-8", "replace").decode("utf-8")
