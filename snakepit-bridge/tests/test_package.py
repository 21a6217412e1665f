"""What importing the package costs and gives."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest

import snakepit_bridge
from snakepit_bridge import _native

# Modules that cost a start more than all of the bridge; a worker imports them when a tool needs them.
COSTLY = ("asyncio", "dataclasses", "enum", "importlib.util", "inspect", "json", "logging", "re", "signal", "socket")
COSTLY += ("threading", "tokenize", "traceback", "typing")

PROGRAM = """
import sys
before = set(sys.modules)
from snakepit_bridge._worker import main
from snakepit_bridge import tool, BaseAdapter, context
print(*sorted(set(sys.modules) - before))
print(getattr(sys, "_is_gil_enabled", lambda: None)())
"""


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    folder = os.path.dirname(os.path.dirname(snakepit_bridge.__file__))
    environment = {**os.environ, "PYTHONPATH": folder}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, **options
    )


class Package(unittest.TestCase):
    def test_a_worker_starts_without_the_costly_modules(self) -> None:
        # `-S`: what an environment's own start-up files import is not ours.
        done = python("-S", "-c", PROGRAM, check=True)
        imported = set(done.stdout.splitlines()[0].split())
        self.assertIn("snakepit_bridge._native", imported)
        self.assertEqual(imported & set(COSTLY), set())

    @unittest.skipUnless("t" in getattr(sys, "abiflags", ""), "not a free-threaded build")
    def test_importing_it_leaves_the_gil_off(self) -> None:
        if os.environ.get("PYTHON_GIL") == "1":
            self.skipTest("the GIL was turned on by the environment")
        self.assertEqual(python("-c", PROGRAM, check=True).stdout.splitlines()[1], "False")

    def test_the_versions_agree(self) -> None:
        self.assertEqual(snakepit_bridge.__version__, _native.VERSION)

    def test_everything_that_is_announced_is_there(self) -> None:
        for name in snakepit_bridge.__all__:
            self.assertIsNotNone(getattr(snakepit_bridge, name))
        with self.assertRaises(AttributeError):
            snakepit_bridge.nothing_like_that  # noqa: B018

    def test_context_outside_a_call_says_so(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "outside a call"):
            snakepit_bridge.context()

    def test_cancelled_is_not_swallowed_as_an_ordinary_exception(self) -> None:
        self.assertTrue(issubclass(snakepit_bridge.Cancelled, BaseException))
        self.assertFalse(issubclass(snakepit_bridge.Cancelled, Exception))

    def test_a_worker_that_no_host_has_started_says_so(self) -> None:
        done = python("-c", "from snakepit_bridge._worker import main; main()", stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this program is started by a snakepit host", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
