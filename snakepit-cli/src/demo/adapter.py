"""The adapter of `snakepit demo`: measures Python source, in pure Python and CPU-bound."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings

from snakepit_bridge import tool

__thread_safe__ = True

# Old source brings warnings about its escapes; they are not what is measured here.
warnings.simplefilter("ignore")

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension)
_MOST = 10


@tool
def standard_library() -> list[str]:
    """Paths of every .py file of this interpreter's own standard library."""
    root = sysconfig.get_path("stdlib")
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in ("site-packages", "__pycache__"))
        found += [os.path.join(folder, name) for name in sorted(files) if name.endswith(".py")]
    return found


@tool
def analyse(path: str) -> dict[str, object]:
    """Lines, functions and branches of one file, and its most complex functions."""
    with open(path, "rb") as file:
        source = file.read()
    lines = source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        # The standard library holds files that are wrong on purpose.
        return {"parsed": False, "lines": lines, "functions": 0, "branches": 0, "most_complex": []}

    functions: list[tuple[int, int, str]] = []
    branches = _measure(tree, "", functions)
    functions.sort(key=lambda found: (-found[0], found[1]))
    return {
        "parsed": True,
        "lines": lines,
        "functions": len(functions),
        "branches": branches,
        "most_complex": [
            {"complexity": complexity, "line": line, "name": name} for complexity, line, name in functions[:_MOST]
        ],
    }


def _measure(top: ast.AST, prefix: str, functions: list[tuple[int, int, str]]) -> int:
    """Branches below `top`; every function found on the way is added with its cyclomatic complexity."""
    branches = 0
    inner = []
    todo = list(ast.iter_child_nodes(top))
    while todo:
        node = todo.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            inner.append(node)
            continue
        if isinstance(node, _BRANCHES):
            branches += 1
        elif isinstance(node, ast.BoolOp):
            branches += len(node.values) - 1
        todo.extend(ast.iter_child_nodes(node))

    total = branches
    for node in inner:
        below = _measure(node, f"{prefix}{node.name}.", functions)
        total += below
        if isinstance(node, _FUNCTIONS):
            # Branches of nested functions count for the outer one as well: a reader has to get through them.
            functions.append((below + 1, node.lineno, f"{prefix}{node.name}"))
    return total
