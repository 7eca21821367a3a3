"""Where the SQL lies: inside the installed package, or at the top of a checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def shipped(folder: str) -> Traversable:
    """The folder `sql` or `migrations`. Both stand at the top of a checkout, where DBAs look first."""
    installed = files("todo_api") / folder
    return installed if installed.is_dir() else Path(str(files("todo_api"))).parent / folder
