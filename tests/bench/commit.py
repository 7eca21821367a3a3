"""The service as it was at another commit, installed in a virtual environment of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .peers import Side

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def installed(commit: str) -> Iterator[Side]:
    """A worktree of the commit with its requirements, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="todo-against-") as folder:
        tree, venv = Path(folder, "tree"), Path(folder, "venv")
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([venv / "bin" / "pip", "install", "-qq", tree], check=True)
            yield Side(f"at_{described(commit)}", venv / "bin" / "python")
        finally:
            _git("worktree", "remove", "--force", str(tree))


def described(commit: str = "HEAD") -> str:
    """A commit's short name."""
    return _git("rev-parse", "--short", f"{commit}^{{commit}}").strip()


def is_clean(*besides: str) -> bool:
    """Whether the files are those of HEAD, besides some that are being made."""
    others = [f":!{file}" for file in besides]
    return not _git("status", "--porcelain", "--untracked-files=no", "--", ".", *others)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
