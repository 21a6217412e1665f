"""Which tools an adapter has, how they are written, and what may be given to them."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import tempfile
import textwrap
import unittest
from typing import Any, Optional

from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, _signature, tool
from snakepit_bridge._adapter import Adapter, AdapterError, import_file
from snakepit_bridge._native import Tool, encode


def adapter_of(source: str, class_name: str = "") -> Adapter:
    """An adapter from a file with this text; the file stays, so that tracebacks can show it."""
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, f"adapter_{os.path.basename(folder)}.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write("from snakepit_bridge import *\n" + textwrap.dedent(source))
    try:
        module = import_file(path)
    finally:
        sys.path.remove(folder)
    adapter = Adapter(module, class_name)
    adapter.create()
    return adapter


def tools_of(source: str, class_name: str = "") -> dict[str, Tool]:
    return {tool.name: tool for tool in adapter_of(source, class_name).tools()}


def call(tool: Tool, **arguments: object) -> Any:
    return tool.call(encode(arguments))


class Discovery(unittest.TestCase):
    def test_marked_functions_are_tools_and_others_are_not(self) -> None:
        tools = tools_of(
            '''
            @tool
            def double(n):
                """Twice as much.

                And more words.
                """
                return helper(n)

            def helper(n):
                return 2 * n

            @tool(name="sum-up", description="Adds.")
            def plus(a, b=1):
                """Not this."""
                return a + b
            '''
        )
        self.assertEqual(list(tools), ["double", "sum-up"])
        self.assertEqual(call(tools["double"], n=21), 42)
        self.assertEqual(call(tools["sum-up"], a=1), 2)
        self.assertEqual(tools["double"].summary, "Twice as much.")
        self.assertEqual(tools["sum-up"].summary, "Adds.")

    def test_a_marked_function_is_returned_unchanged(self) -> None:
        def function() -> int:
            return 1

        self.assertIs(tool(function), function)
        self.assertIs(tool(name="x")(function), function)

    def test_methods_of_the_only_class_are_tools(self) -> None:
        adapter = adapter_of(
            """
            class Base(BaseAdapter):
                @tool
                def inherited(self): return "inherited"

            class Counter(Base):
                __thread_safe__ = True
                def __init__(self): self.log = []
                def initialize(self): self.log.append("initialize")
                def cleanup(self): self.log.append("cleanup")
                @property
                def costly(self): raise AssertionError("a property was run")
                @tool
                def seen(self, more=()): return self.log + list(more)
                @staticmethod
                @tool
                def still(): return "static"
                @tool
                @classmethod
                def named(cls): return cls.__name__
                def hidden(self): pass
            """
        )
        tools = {tool.name: tool for tool in adapter.tools()}
        self.assertEqual(list(tools), ["inherited", "named", "seen", "still"])
        self.assertIs(adapter.thread_safe, True)
        adapter.initialize()
        adapter.cleanup()
        self.assertEqual(call(tools["seen"], more=["x"]), ["initialize", "cleanup", "x"])
        self.assertEqual(call(tools["inherited"]), "inherited")
        self.assertEqual(call(tools["still"]), "static")
        self.assertEqual(call(tools["named"]), "Counter")
        self.assertEqual(tools["seen"].signature, "(more=())")

    def test_functions_beside_the_only_class_are_tools_too(self) -> None:
        source = """
            @tool
            def free(): return 1

            class Only(BaseAdapter):
                @tool
                def bound(self): return 2
            """
        self.assertEqual(list(tools_of(source)), ["bound", "free"])
        self.assertEqual(list(tools_of(source, "Only")), ["bound"], "a class that was named stands alone")

    def test_several_classes_without_a_choice_are_listed(self) -> None:
        source = """
            class One(BaseAdapter):
                @tool
                def one(self): return 1

            class Two(BaseAdapter):
                @tool
                def two(self): return 2
            """
        with self.assertRaisesRegex(AdapterError, r"several adapter classes \(One, Two\): name one of them"):
            tools_of(source)
        self.assertEqual(list(tools_of(source, "Two")), ["two"])
        with self.assertRaisesRegex(AdapterError, "has no class 'Three'; its adapter classes: One, Two"):
            tools_of(source, "Three")

    def test_an_imported_class_is_not_the_modules_own(self) -> None:
        self.assertEqual(tools_of("from snakepit_bridge import ThreadSafeAdapter as Other"), {})

    def test_two_tools_of_one_name_are_refused(self) -> None:
        with self.assertRaisesRegex(AdapterError, "two tools of .* are called 'same'"):
            tools_of(
                """
                @tool(name="same")
                def one(): pass
                @tool(name="same")
                def two(): pass
                """
            )

    def test_one_function_under_two_names_is_one_tool(self) -> None:
        self.assertEqual(
            list(
                tools_of(
                    """
                    @tool
                    def mean(): pass
                    average = mean
                    """
                )
            ),
            ["mean"],
        )

    def test_hooks_of_a_function_module_are_its_own_functions(self) -> None:
        adapter = adapter_of(
            """
            from os import path as initialize
            log = []
            def cleanup(): log.append("cleanup")
            @tool
            def f(): pass
            """
        )
        adapter.initialize()
        adapter.cleanup()
        self.assertEqual(adapter.module.log, ["cleanup"])
        self.assertIsNone(adapter.thread_safe)

    def test_what_cannot_be_marked_says_so(self) -> None:
        for wrong in (7, len, BaseAdapter):
            with self.assertRaises(TypeError):
                tool(wrong)  # type: ignore[call-overload]

    def test_a_tool_is_idempotent_only_where_its_author_says_so(self) -> None:
        tools = tools_of(
            """
            class Both(BaseAdapter):
                @tool(idempotent=True)
                def read(self): pass
                @tool
                def write(self): pass
                @tool(name="add")
                def plus(self): pass
            @tool(idempotent=False)
            def remove(): pass
            """
        )
        self.assertEqual([name for name, each in tools.items() if each.idempotent], ["read"])
        self.assertEqual(list(tools), ["add", "read", "remove", "write"])

    def test_a_tool_may_be_interrupted_unless_its_author_says_otherwise(self) -> None:
        tools = tools_of(
            """
            @tool
            def plain(): pass
            @tool(cancel="forced")
            def spelt_out(): pass
            @tool(cancel="cooperative")
            async def careful(): pass
            """
        )
        self.assertEqual([name for name, each in tools.items() if not each.interruptible], ["careful"])

    def test_a_misspelt_argument_of_the_decorator_says_what_there_is(self) -> None:
        with self.assertRaisesRegex(TypeError, "takes name, description, idempotent and cancel, not idempotant, x"):
            tool(idempotant=True, x=1)  # type: ignore[call-overload]
        with self.assertRaisesRegex(TypeError, "idempotent is True or False, not 'no'"):
            tool(idempotent="no")  # type: ignore[call-overload]
        with self.assertRaisesRegex(ValueError, "cancel is 'forced' or 'cooperative', not 'never'"):
            tool(cancel="never")  # type: ignore[call-overload]

    def test_thread_safe_adapters_say_so(self) -> None:
        self.assertIs(ThreadSafeAdapter.__thread_safe__, True)
        self.assertFalse(hasattr(BaseAdapter, "__thread_safe__"))


class Loading(unittest.TestCase):
    def test_a_file_called_like_a_loaded_module_replaces_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "unittest.py"), "w", encoding="utf-8") as file:
                file.write("mine = True\n")
            try:
                module = import_file(os.path.join(folder, "unittest.py"))
                self.assertEqual(sys.path[0], folder)
            finally:
                sys.path.remove(folder)
            self.assertTrue(module.mine)
            self.assertIs(sys.modules["unittest"], unittest)

    def test_a_file_that_fails_leaves_no_module_behind(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "fails_half_way.py"), "w", encoding="utf-8") as file:
                file.write("raise SystemExit(1)\n")
            with self.assertRaises(SystemExit):
                import_file(os.path.join(folder, "fails_half_way.py"))
            sys.path.remove(folder)
        self.assertNotIn("fails_half_way", sys.modules)

    def test_a_missing_file_is_named(self) -> None:
        with self.assertRaises(FileNotFoundError) as caught:
            import_file("/nowhere/adapter.py")
        sys.path.remove("/nowhere")
        self.assertEqual(caught.exception.filename, "/nowhere/adapter.py")


class Signatures(unittest.TestCase):
    def test_they_read_as_inspect_writes_them(self) -> None:
        def none(): ...  # type: ignore[no-untyped-def]
        def plain(a, b, c=3): ...  # type: ignore[no-untyped-def]
        def typed(values: list[float], n: int = 3, *, key: str = "x") -> float: ...  # type: ignore[empty-body]
        def kinds(a, /, b, *args, c, d=4, **kwargs): ...  # type: ignore[no-untyped-def]
        def only_keywords(*, a, b=None): ...  # type: ignore[no-untyped-def]
        def only_position(a, b=1, /): ...  # type: ignore[no-untyped-def]

        for function in (none, plain, typed, kinds, only_keywords, only_position):
            written = str(inspect.signature(function)).replace("'", "")
            self.assertEqual(_signature.text(function).replace("'", ""), written)

    def test_annotations_that_are_objects_are_written_by_name(self) -> None:
        def function(a, b, c): ...  # type: ignore[no-untyped-def]

        function.__annotations__ = {"a": list[int], "b": Optional[str], "c": unittest.TestCase, "return": None}
        # How `Optional` writes itself depends on the version.
        optional = repr(Optional[str]).replace("typing.", "")
        written = f"(a: list[int], b: {optional}, c: unittest.case.TestCase) -> None"
        self.assertEqual(_signature.text(function), written)

    def test_a_bound_method_is_shown_without_self(self) -> None:
        class Adapter:
            def method(self, n: int) -> int:
                return n

            def slashed(self, /, n: int) -> int:
                return n

            def __call__(self, x: int) -> int:
                return x

        self.assertEqual(_signature.text(Adapter().method), "(n: int) -> int")
        self.assertEqual(_signature.text(Adapter().slashed), "(n: int) -> int")
        self.assertEqual(_signature.text(Adapter()), "(x: int) -> int")

    def test_a_wrapped_function_is_shown_as_what_it_wraps(self) -> None:
        def inner(n: int) -> int:
            return n

        @functools.wraps(inner)
        def outer(*args: Any, **kwargs: Any) -> Any:
            return inner(*args, **kwargs)

        known = _signature.parameters(outer)
        self.assertEqual(known.text, "(n: int) -> int")
        self.assertTrue(known.open, "the check is the wrapper's own")
        self.assertEqual(_signature.parameters(functools.lru_cache(inner)).text, "(n: int) -> int")

    def test_defaults_with_a_broken_or_long_repr_are_left_out(self) -> None:
        class Broken:
            def __repr__(self) -> str:
                raise RuntimeError

        def function(a=Broken(), b="x" * 1_000): ...  # type: ignore[no-untyped-def]  # noqa: B008

        self.assertEqual(_signature.text(function), "(a=..., b=...)")

    def test_what_has_no_code_has_no_signature_and_is_called_all_the_same(self) -> None:
        known = _signature.parameters(functools.partial(pow, 2))
        self.assertEqual((known.named, known.open, known.text), ([], True, ""))


class Arguments(unittest.TestCase):
    def tool(self, source: str) -> Tool:
        (only,) = tools_of(source).values()
        return only

    def assert_refused(self, tool: Tool, arguments: dict[str, object], message: str) -> None:
        with self.assertRaises(TypeError) as caught:
            call(tool, **arguments)
        self.assertEqual(str(caught.exception), message)

    def test_what_does_not_fit_is_named_with_the_signature(self) -> None:
        mean = self.tool(
            """
            @tool
            def mean(values: list, weight=1): raise AssertionError("it ran")
            """
        )
        signature = "the signature is mean(values: list, weight=1)"
        self.assert_refused(mean, {}, f"`values` is missing; {signature}")
        self.assert_refused(mean, {"values": [], "x": 1}, f"`x` is unknown; {signature}")
        self.assert_refused(mean, {"value": []}, f"`values` is missing, `value` is unknown; {signature}")

    def test_a_type_error_of_the_body_is_the_tools_own(self) -> None:
        broken = self.tool(
            """
            @tool
            def broken(n): return len(n)
            """
        )
        with self.assertRaisesRegex(TypeError, r"object of type 'int' has no len\(\)"):
            call(broken, n=1)

    def test_keyword_arguments_take_any_name(self) -> None:
        any_name = self.tool(
            """
            @tool
            def collect(a, **more): return [a, more]
            """
        )
        self.assertEqual(call(any_name, a=1, b=2, **{"not a name": 3}), [1, {"b": 2, "not a name": 3}])
        self.assert_refused(any_name, {"b": 1}, "`a` is missing; the signature is collect(a, **more)")

    def test_positional_only_parameters_cannot_be_given(self) -> None:
        by_position = self.tool(
            """
            @tool
            def f(a, /, b): raise AssertionError("it ran")
            """
        )
        message = "f(a, /, b) takes `a` by position only, and arguments are passed by name"
        self.assert_refused(by_position, {"a": 1, "b": 2}, message)

    def test_a_generator_cannot_be_called(self) -> None:
        for source in ("@tool\ndef g():\n yield 1\n", "@tool\nasync def g():\n yield 1\n"):
            self.assert_refused(self.tool(source), {}, "g is a generator; it cannot be called")

    def test_arguments_that_are_no_map_or_malformed_are_refused(self) -> None:
        f = self.tool("@tool\ndef f(a): raise AssertionError('it ran')\n")
        for data, message in (
            (b"\x90", "arguments: arguments are a map"),
            (b"\x81\xa1a", "arguments.a: the message ends in the middle of a value"),
            (b"\x81\xa1a\x92\x01\xc1", "arguments.a[1]: Reserved is not a type of this protocol"),
            (b"\x82\xa1a\x01\xa1a\x01", "arguments: `a` is given twice"),
        ):
            with self.assertRaises(TypeError) as caught:
                f.call(data)
            self.assertEqual(str(caught.exception), message)

    def test_depth_counts_the_map_of_arguments(self) -> None:
        f = self.tool("@tool\ndef f(a): return 1\n")
        self.assertEqual(f.call(encode({"a": [[]]}), depth_max=3), 1)
        with self.assertRaisesRegex(TypeError, r"arguments\.a\[0\]: nested deeper than 2 levels"):
            f.call(encode({"a": [[]]}), depth_max=2)

    def test_async_functions_are_waited_for(self) -> None:
        tools = tools_of(
            """
            import asyncio, functools
            @tool
            async def later(n):
                await asyncio.sleep(0)
                return n + 1
            def logged(f):
                @functools.wraps(f)
                def wrapper(**k): return f(**k)
                return wrapper
            @tool
            @logged
            async def wrapped(n): return asyncio.get_running_loop() is not None and n
            @tool
            async def loop(): return id(asyncio.get_running_loop())
            """
        )
        from snakepit_bridge import _async

        try:
            self.assertEqual(call(tools["later"], n=1), 2)
            self.assertEqual(call(tools["wrapped"], n=5), 5)
            self.assertEqual(call(tools["loop"]), call(tools["loop"]), "a thread keeps its loop")
        finally:
            _async.close()


if __name__ == "__main__":
    unittest.main()
