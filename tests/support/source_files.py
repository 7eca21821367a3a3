"""The service's own sources, for tests about all of them: every Python file, none left out."""

import ast
import os
from pathlib import Path

import todo_api

PACKAGE = Path(todo_api.__file__).parent


def sources() -> list[Path]:
    """Every Python file of todo_api, in each of its wings."""
    found = sorted(PACKAGE.rglob("*.py"))
    there = {Path(folder, name) for folder, _, names in os.walk(PACKAGE) for name in names}
    # A pattern that finds too little would let every test over the sources pass.
    assert set(found) == {path for path in there if path.suffix == ".py"}
    return found


def module_of(file: Path) -> str:
    """todo_api.web.headers for todo_api/web/headers.py, todo_api.web for its __init__.py."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
