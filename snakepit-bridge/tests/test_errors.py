"""Exceptions as data: whatever is raised, what is sent is bounded, valid and says where."""

from __future__ import annotations

import sys
import unittest

from snakepit_bridge._errors import CHAIN_MAX, FRAMES_MAX, MESSAGE_MAX, TRACEBACK_MAX, describe


def raised(function: object) -> BaseException:
    try:
        function()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


def size(text: str) -> int:
    return len(text.encode("utf-8"))


class Described(unittest.TestCase):
    def test_type_message_and_place_are_told(self) -> None:
        class Inner(KeyError):
            pass

        def fail() -> None:
            raise Inner("lost")  # the line that is shown

        (link,) = describe(raised(fail))
        self.assertTrue(link["type"].endswith("<locals>.Inner"))
        self.assertEqual(link["module"], __name__)
        self.assertEqual(link["message"], "'lost'")
        self.assertEqual(link["mro"][1:], ["builtins.KeyError", "builtins.LookupError", *base_names()])
        file, line, function, source = link["frames"][-1]
        self.assertEqual(file, __file__)
        self.assertEqual(line, fail.__code__.co_firstlineno + 1)
        self.assertEqual(function, "fail")
        self.assertEqual(source, 'raise Inner("lost")  # the line that is shown')
        self.assertTrue(link["traceback"].startswith("Traceback (most recent call last):\n"))
        self.assertTrue(link["traceback"].rstrip().endswith("Inner: 'lost'"))

    def test_causes_are_told_in_order_and_printed_as_python_does(self) -> None:
        def fail() -> None:
            try:
                raise ValueError("first")
            except ValueError:
                try:
                    raise TypeError("second")
                except TypeError as error:
                    raise RuntimeError("third") from error

        links = describe(raised(fail))
        self.assertEqual([link["message"] for link in links], ["third", "second", "first"])
        text = links[0]["traceback"]
        places = [text.index(word) for word in ("ValueError: first", "During handling", "TypeError: second")]
        places += [text.index(word) for word in ("direct cause", "RuntimeError: third")]
        self.assertEqual(places, sorted(places))

    def test_a_suppressed_context_is_left_out(self) -> None:
        def fail() -> None:
            try:
                raise ValueError("hidden")
            except ValueError:
                raise RuntimeError("shown") from None

        links = describe(raised(fail))
        self.assertEqual([link["message"] for link in links], ["shown"])
        self.assertNotIn("hidden", links[0]["traceback"])

    @unittest.skipIf(sys.version_info < (3, 11), "notes came with 3.11")
    def test_notes_are_told(self) -> None:
        error = ValueError("x")
        error.add_note("look here")
        self.assertEqual(describe(error)[0]["notes"], ["look here"])
        self.assertIn("look here", describe(error)[0]["traceback"])

    def test_the_frames_of_the_bridge_are_left_out(self) -> None:
        from snakepit_bridge import _async

        async def fail() -> None:
            raise ValueError("x")

        try:
            (link,) = describe(raised(lambda: _async.awaited(fail)()).with_traceback(None))
            self.assertEqual(link["frames"], [])
            error = raised(_async.awaited(fail))
            error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
            (link,) = describe(error)
            self.assertEqual([frame[2] for frame in link["frames"]], ["fail"])
        finally:
            _async.close()

    def test_a_syntax_error_shows_its_line(self) -> None:
        (link,) = describe(raised(lambda: compile("a = = 1\n", "adapter.py", "exec")))
        self.assertEqual(link["type"], "SyntaxError")
        self.assertIn("adapter.py", link["traceback"])
        self.assertIn("a = = 1", link["traceback"])


class Awkward(unittest.TestCase):
    def test_a_broken_str_gets_a_placeholder(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise SystemExit(3)

        (link,) = describe(Broken())
        self.assertEqual(link["message"], "<exception str() failed>")
        self.assertTrue(link["type"].endswith("Broken"))

    def test_a_str_that_returns_something_else_gets_a_placeholder(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                return 7  # type: ignore[return-value]

        self.assertEqual(describe(Broken())[0]["message"], "<exception str() failed>")

    def test_broken_notes_are_left_out(self) -> None:
        class Broken(Exception):
            @property
            def __notes__(self) -> list[str]:
                raise RuntimeError("no")

        self.assertEqual(describe(Broken("x"))[0]["notes"], [])

    def test_a_cyclic_cause_is_cut(self) -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        self.assertEqual([link["message"] for link in describe(first)], ["first", "second"])
        first.__cause__ = first
        self.assertEqual(len(describe(first)), 1)

    def test_a_long_chain_is_cut(self) -> None:
        error = ValueError("0")
        for number in range(1, 10_000):
            following = ValueError(str(number))
            following.__cause__ = error
            error = following
        links = describe(error)
        self.assertEqual(len(links), CHAIN_MAX)
        self.assertEqual(links[0]["message"], "9999")

    def test_ten_megabytes_of_message_stay_bounded_and_keep_both_ends(self) -> None:
        for text in ("a" + "x" * 10_000_000 + "z", "a" + "🐍" * 2_500_000 + "z", "a" + "\ud800" * 2_500_000 + "z"):
            (link,) = describe(raised(lambda text=text: self.fail_with(text)))
            self.assertLessEqual(size(link["message"]), MESSAGE_MAX)
            self.assertGreater(size(link["message"]), MESSAGE_MAX - 64)
            self.assertTrue(link["message"].startswith("a"))
            self.assertTrue(link["message"].endswith("z"))
            self.assertLessEqual(size(link["traceback"]), TRACEBACK_MAX)
            self.assertIn("in fail_with", link["traceback"])

    def test_lone_surrogates_are_written_out(self) -> None:
        self.assertEqual(describe(ValueError("\ud800"))[0]["message"], "\\ud800")

    def test_a_recursion_error_is_described_briefly(self) -> None:
        def again() -> None:
            again()

        (link,) = describe(raised(again))
        self.assertEqual(link["type"], "RecursionError")
        self.assertEqual(len(link["frames"]), FRAMES_MAX)
        self.assertLess(size(link["traceback"]), 4_096)

    def test_whatever_is_raised_is_described(self) -> None:
        for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError(), StopIteration(1)):
            (link,) = describe(error)
            self.assertEqual(link["type"], type(error).__name__)

    @staticmethod
    def fail_with(text: str) -> None:
        raise ValueError(text)


def base_names() -> list[str]:
    return ["builtins.Exception", "builtins.BaseException"]


if __name__ == "__main__":
    unittest.main()
