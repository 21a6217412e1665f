"""A worker that keeps what it should let go."""

from __future__ import annotations

from snakepit_bridge import tool

_kept: list[bytearray] = []


@tool
def leak(megabytes: int) -> int:
    """Keeps so much more memory, and tells how much that is by now, in megabytes."""
    block = bytearray(megabytes * 1_000_000)
    # Memory is a worker's own only once it is written to.
    block[::4096] = b"\x01" * len(block[::4096])
    _kept.append(block)
    return sum(len(kept) for kept in _kept) // 1_000_000


@tool
def kept() -> int:
    """How much it keeps, in megabytes."""
    return sum(len(kept) for kept in _kept) // 1_000_000
