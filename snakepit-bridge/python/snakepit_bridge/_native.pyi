"""The extension module."""

from collections.abc import Mapping
from typing import Any, Callable, final

VERSION: str

class Cancelled(BaseException):
    """Nobody waits for this call any more. Not an ``Exception``, so that ``except Exception`` does not swallow it."""

@final
class Context:
    """The call that is running here."""

    @property
    def request_id(self) -> int:
        """The request's number, unique within this worker."""

    @property
    def tool(self) -> str:
        """Name of the tool that was called."""

    @property
    def worker(self) -> str:
        """The worker's name: ``<pool>/<slot>#<generation>``."""

    def remaining(self) -> float | None:
        """Seconds until the caller stops waiting, 0.0 where it has; ``None`` where it waits for ever."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this call any more."""

    def check(self) -> None:
        """Raises ``Cancelled`` if nobody waits for this call any more."""

    def shield(self) -> Shield:
        """A block in which the call is not interrupted, although nobody waits for it any more.

        What would have interrupted it raises ``Cancelled`` as the block ends. The pool's patience does not grow by it.
        """

@final
class Shield:
    """Within it, the running call is not interrupted."""

    def __enter__(self) -> None: ...
    def __exit__(self, class_: object, error: object, traceback: object, /) -> None: ...

def context() -> Context:
    """The running call. Raises ``RuntimeError`` outside one."""

def interrupted(signal: int, frame: object, /) -> None:
    """Handles the signal that interrupts the main thread: raises ``Cancelled`` where the running call is meant."""

def cancel_by(cancel: Callable[[], object], /) -> None:
    """Says how to cancel the task that the running call is. Outside a call it does nothing."""

def was_interrupted() -> bool:
    """Whether the running call was to be stopped by more than a word."""

def forked() -> None:
    """Says that this process was forked off the worker."""

def encode(value: object, *, depth_max: int = 128, message_max: int = 67108864) -> bytes:
    """Encodes a value as a tool's result would be. Raises ``ValueError`` with the path of what cannot be sent."""

def decode(data: bytes, *, depth_max: int = 128) -> Any:
    """Decodes a value. Raises ``ValueError`` where it is malformed or nested too deeply."""
@final
class Tool:
    """Something callable with a name, and what is known of its parameters."""

    def __new__(
        cls,
        name: str,
        callable: Callable[..., Any],
        *,
        parameters: list[tuple[str, bool]] = ...,
        open: bool = True,
        signature: str = "",
        summary: str = "",
        idempotent: bool = False,
        interruptible: bool = True,
        refusal: str | None = None,
    ) -> Tool: ...
    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def idempotent(self) -> bool: ...
    @property
    def interruptible(self) -> bool: ...
    @property
    def refusal(self) -> str | None: ...
    def call(self, arguments: bytes, *, depth_max: int = 128) -> Any:
        """Runs the tool with a MessagePack map of arguments. Raises ``TypeError`` where they do not fit."""

@final
class Worker:
    """A worker process's own side: made once, by the program's first lines."""

    def __new__(cls) -> Worker: ...
    @property
    def name(self) -> str: ...
    @property
    def adapter_file(self) -> str | None: ...
    @property
    def adapter_module(self) -> str | None: ...
    @property
    def adapter_class(self) -> str: ...
    @property
    def adapter_args(self) -> list[str]: ...
    @property
    def threads(self) -> int: ...
    @property
    def interrupt_signal(self) -> int | None: ...
    def descriptors(self) -> list[int]: ...
    def connect(
        self,
        tools: list[Tool],
        *,
        version: str,
        implementation: str,
        free_threaded: bool,
        gil_enabled: bool,
        gil_enabled_by: str | None = None,
        thread_safe: bool | None = None,
    ) -> None: ...
    def ready(self) -> None: ...
    def start_failed(self, stage: str, chain: list[dict[str, Any]]) -> None: ...
    def serve(
        self, tools: Mapping[str, Tool], describe: Callable[[BaseException], list[dict[str, Any]]], patience: float
    ) -> None: ...
    def close(self) -> None: ...
