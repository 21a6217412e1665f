"""An exception as data, whatever it is: broken ``__str__``, cyclic causes and 10 MB of text included."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

# In bytes.
MESSAGE_MAX = 64 * 1024
TRACEBACK_MAX = 256 * 1024
_NOTE_MAX = 4 * 1024
_SOURCE_MAX = 1024
_NAME_MAX = 512

# In pieces.
CHAIN_MAX = 16
FRAMES_MAX = 100
_NOTES_MAX = 32
_MRO_MAX = 32

_BECAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
_CUT = "\n[...]\n"

_HERE = os.path.dirname(__file__) + os.sep


def describe(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, outermost first, as the native module takes them."""
    chain, joints = _chain(error)
    links = [_link(one) for one in chain]
    # Python prints the innermost first.
    text = links[-1]["traceback"]
    for link, joint in zip(reversed(links[:-1]), reversed(joints)):
        text += joint + link["traceback"]
    links[0]["traceback"] = _fit(text, TRACEBACK_MAX)
    return links


def write(error: BaseException, what: str) -> None:
    """Writes it to standard error, for people."""
    try:
        sys.stderr.write(f"{what}\n{describe(error)[0]['traceback']}")
        sys.stderr.flush()
    except Exception:
        # A worker without a usable standard error has nobody to tell.
        pass


def _chain(error: BaseException) -> tuple[list[BaseException], list[str]]:
    chain, joints = [error], []
    seen = {id(error)}
    while len(chain) < CHAIN_MAX:
        last = chain[-1]
        if last.__cause__ is not None:
            following, joint = last.__cause__, _BECAUSE
        elif last.__context__ is not None and not last.__suppress_context__:
            following, joint = last.__context__, _DURING
        else:
            break
        if id(following) in seen:
            break
        seen.add(id(following))
        chain.append(following)
        joints.append(joint)
    return chain, joints


def _link(error: BaseException) -> dict[str, Any]:
    cls = type(error)
    traceback = _without_own_frames(error.__traceback__)
    return {
        "type": _fit(cls.__qualname__, _NAME_MAX),
        "module": _fit(str(cls.__module__), _NAME_MAX),
        "message": _fit(_text(error), MESSAGE_MAX),
        "mro": [_fit(f"{base.__module__}.{base.__qualname__}", _NAME_MAX) for base in cls.__mro__[:-1][:_MRO_MAX]],
        "notes": _notes(error),
        "frames": _frames(traceback),
        "traceback": _fit(_formatted(error, traceback), TRACEBACK_MAX),
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        # The words that Python's own traceback uses.
        return "<exception str() failed>"


def _notes(error: BaseException) -> list[str]:
    try:
        notes = list(getattr(error, "__notes__", None) or ())[:_NOTES_MAX]
        return [_fit(str(note), _NOTE_MAX) for note in notes]
    except BaseException:
        return []


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Leaves out what is above the adapter's code: the bridge, the import system, and asyncio's loop."""
    own = [_HERE, "<frozen importlib"]
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio.__file__:
        own.append(os.path.dirname(asyncio.__file__) + os.sep)
    above = tuple(own)
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(above):
        traceback = traceback.tb_next
    return traceback


def _frames(traceback: TracebackType | None) -> list[tuple[str, int, str, str]]:
    # Only imported once something has been raised: with what it needs, several milliseconds.
    import linecache

    entries = []
    while traceback is not None:
        entries.append((traceback.tb_frame, traceback.tb_lineno or 0))
        traceback = traceback.tb_next
    if len(entries) > FRAMES_MAX:
        entries = entries[: FRAMES_MAX // 2] + entries[-FRAMES_MAX // 2 :]
    frames = []
    for frame, line in entries:
        code = frame.f_code
        try:
            source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        except Exception:
            source = ""
        frames.append(
            (_fit(code.co_filename, _SOURCE_MAX), line, _fit(code.co_name, _NAME_MAX), _fit(source, _SOURCE_MAX))
        )
    return frames


def _formatted(error: BaseException, traceback: TracebackType | None) -> str:
    import traceback as formatter

    try:
        return "".join(formatter.format_exception(type(error), error, traceback, chain=False))
    except BaseException:
        return f"{type(error).__qualname__}: <the traceback could not be formatted>\n"


def _fit(text: str, limit: int) -> str:
    """Valid UTF-8 of at most ``limit`` bytes. What is too long loses its middle: both ends of a traceback tell."""
    # An exact `str` first: a subclass may have methods of its own.
    text = str.__str__(text)
    if len(text) > 2 * limit:
        # Shortened before it is encoded, so that 10 MB cost little. A character takes a byte at least.
        text = text[:limit] + text[-limit:]
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        tail = limit // 4
        head = limit - tail - len(_CUT)
        data = data[:head] + _CUT.encode() + data[-tail:]
    return data.decode("utf-8", "ignore")
