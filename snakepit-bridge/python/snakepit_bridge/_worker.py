"""The program of a worker process, from its first line to its last.

What this imports is what every start of every worker pays for: ``asyncio``, ``inspect``, ``typing``, ``logging`` and
``traceback`` together cost more than all the rest, so each waits until a tool needs it.
"""

from __future__ import annotations

# The C module, since `signal` itself brings `enum`.
import _signal  # type: ignore[import-not-found]
import atexit
import faulthandler
import os
import sys

from snakepit_bridge import _native
from snakepit_bridge._adapter import Adapter, import_file, import_module
from snakepit_bridge._errors import describe, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# Seconds after which a main thread that waits for a call looks whether a signal handler has to run; other threads only
# look whether anything is left to wait for.
_MAIN_PATIENCE = 1.0
_THREAD_PATIENCE = 60.0


def main() -> None:
    """Serves one host until it says that this is enough."""
    try:
        worker = _native.Worker()
    except OSError as error:
        sys.exit(f"snakepit-worker: {error}")
    _prepare(worker)
    adapter, tools = _start(worker)
    _serve(worker, {tool.name: tool for tool in tools})
    try:
        adapter.cleanup()
    except BaseException as error:
        # The worker ends in peace all the same: its calls are answered.
        write(error, f"snakepit-worker {worker.name}: cleanup failed")
    _close_loop()


def _prepare(worker: _native.Worker) -> None:
    # The terminal's Ctrl-C is the host's to answer.
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    if worker.interrupt_signal is not None:
        # Ends code that blocks the main thread, once nobody waits for it.
        _signal.signal(worker.interrupt_signal, _native.interrupted)
    for stream in (sys.stdout, sys.stderr):
        # Line by line, so that the last words before a crash arrive; and a character that the locale cannot write must
        # not fail a call.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    if sys.stderr is not None:
        # A crash in C code writes its Python stack there, and the host keeps the last lines.
        faulthandler.enable()
    # Registered before the adapter's own, so run after them: to the host, the end of the connection is the end.
    atexit.register(worker.close)
    os.register_at_fork(after_in_child=lambda: _after_fork(worker))
    sys.argv = [worker.adapter_file or worker.adapter_module or "", *worker.adapter_args]


def _after_fork(worker: _native.Worker) -> None:
    """In a process that a tool has forked off, nothing of the connection is left."""
    _native.forked()
    for descriptor in worker.descriptors():
        try:
            os.close(descriptor)
        except OSError:
            # Closed already, by the tool itself.
            pass


def _start(worker: _native.Worker) -> tuple[Adapter, list[_native.Tool]]:
    """Imports the adapter, introduces the worker to the host and warms up. Does not return where that fails."""
    watch = _GilWatch()
    adapter: Adapter | None = None
    tools: list[_native.Tool] = []
    stage, failure = "import", None
    try:
        adapter = Adapter(_import(worker), worker.adapter_class)
        stage = "initialize"
        adapter.create()
        stage = "import"
        tools = adapter.tools()
    except BaseException as error:
        failure = error
    _connect(worker, tools, adapter, watch)
    if failure is None and adapter is not None:
        stage = "initialize"
        try:
            adapter.initialize()
        except BaseException as error:
            failure = error
        else:
            worker.ready()
            return adapter, tools
    if failure is not None:
        worker.start_failed(stage, describe(failure))
    sys.exit(1)


def _import(worker: _native.Worker) -> ModuleType:
    if worker.adapter_file is not None:
        return import_file(worker.adapter_file)
    return import_module(worker.adapter_module or "")


def _connect(worker: _native.Worker, tools: list[_native.Tool], adapter: Adapter | None, watch: _GilWatch) -> None:
    try:
        worker.connect(
            tools,
            version=".".join(str(number) for number in sys.version_info[:3]),
            implementation=sys.implementation.name,
            free_threaded=watch.free_threaded,
            gil_enabled=_gil_enabled(),
            gil_enabled_by=watch.end(),
            thread_safe=adapter.thread_safe if adapter is not None else None,
        )
    except ConnectionError as error:
        sys.exit(f"snakepit-worker {worker.name}: {error}")


def _serve(worker: _native.Worker, tools: dict[str, _native.Tool]) -> None:
    if not worker.threads:
        worker.serve(tools, describe, _MAIN_PATIENCE)
        return
    # Only the thread profile pays for it.
    import threading

    threads = [
        threading.Thread(target=_slot, args=(worker, tools), name=f"snakepit-{number}", daemon=True)
        for number in range(worker.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _slot(worker: _native.Worker, tools: dict[str, _native.Tool]) -> None:
    try:
        worker.serve(tools, describe, _THREAD_PATIENCE)
        _close_loop()
    except BaseException as error:
        # A slot that nobody serves any more would keep its callers waiting for ever.
        write(error, f"snakepit-worker {worker.name}: a thread of the bridge failed")
        os._exit(1)


def _close_loop() -> None:
    loops: Any = sys.modules.get("snakepit_bridge._async")
    if loops is not None:
        try:
            loops.close()
        except Exception as error:
            write(error, "snakepit-worker: a task did not end")


def _gil_enabled() -> bool:
    probe = getattr(sys, "_is_gil_enabled", None)
    return True if probe is None else bool(probe())


class _GilWatch:
    """Finds the import that turns the GIL on: the last one that began before it was seen on.

    Nothing is installed in an ordinary build, or where the GIL is on from the start.
    """

    def __init__(self) -> None:
        self.free_threaded = "t" in sys.abiflags
        self._last: str | None = None
        self._culprit: str | None = None
        self._on = self.free_threaded and not _gil_enabled()
        if self._on:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Asked by the import system before everybody else; never has an answer."""
        if self._culprit is None and _gil_enabled():
            self._culprit = self._last
        self._last = name

    def end(self) -> str | None:
        """Stops watching. The module's name, or ``None`` if the GIL is off or its cause is not known."""
        if not self._on:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        return (self._culprit or self._last) if _gil_enabled() else None
