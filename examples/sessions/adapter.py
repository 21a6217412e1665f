"""Counts what it hears, in each worker's memory."""

import os

from snakepit_bridge import tool

heard: dict[str, int] = {}


@tool
def hear(name: str) -> dict[str, int]:
    heard[name] = heard.get(name, 0) + 1
    return {"times": heard[name], "pid": os.getpid()}
