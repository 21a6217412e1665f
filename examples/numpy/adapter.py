"""Linear algebra with NumPy: values go in as lists, results come out as lists."""

from __future__ import annotations

import numpy
from snakepit_bridge import tool


@tool
def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solves `matrix @ x = right`."""
    return numpy.linalg.solve(numpy.array(matrix), numpy.array(right)).tolist()
