"""The adapter of the quickstart: plain functions, marked as tools."""

from __future__ import annotations

from snakepit_bridge import tool


@tool
def mean(values: list[float]) -> float:
    """Arithmetic mean of a list of numbers."""
    return sum(values) / len(values)


@tool
def describe(values: list[float]) -> dict[str, float]:
    """Smallest, largest and mean of a list of numbers."""
    return {"min": min(values), "max": max(values), "mean": mean(values)}
