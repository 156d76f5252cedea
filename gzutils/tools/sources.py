"""What code a result depends on: the modules of this kit that a piece of code imports, and digits that name their text.

Comments, docstrings and empty lines do not count, so that words can be mended without voiding what was computed.
"""

import ast
import io
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from gzutils.tools.records import fingerprint

PACKAGE = Path(__file__).parents[1]


def imported(code: str) -> set[str]:
    """The modules of this kit that some code names in its imports, wherever in it, such as "gzutils.tools.files"."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if _path(name)}


def reached(names: Iterable[str], but: str | None = None) -> set[str]:
    """These modules, and all of this kit that they import, directly or by way of others.

    Args:
        but: a room, such as "gzutils.tools", whose modules neither count nor lead to others.
    """
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        waiting = set().union(*(imported(_path(name).read_text(encoding="utf-8")) for name in waiting)) - found
        waiting = {name for name in waiting if but is None or not f"{name}.".startswith(f"{but}.")}
    return found


def modules_fingerprint(names: Iterable[str]) -> str:
    """Eight hexadecimal digits that name the code of some modules of this kit."""
    return fingerprint([(name, code_alone(_path(name).read_text(encoding="utf-8"))) for name in sorted(set(names))])


def code_alone(code: str) -> str:
    """Python code without comments, docstrings and empty lines; the same text on every version of Python."""
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines[body[0].lineno - 1 : body[0].end_lineno] = [""] * (body[0].end_lineno - body[0].lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


@cache
def _path(name: str) -> Path | None:
    """The file of a module of this kit; None: there is none of that name."""
    if name.split(".")[0] != PACKAGE.name:
        return None
    place = PACKAGE.joinpath(*name.split(".")[1:])
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)
