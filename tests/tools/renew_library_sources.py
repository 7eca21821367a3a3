"""Writes tests/project/library_sources.txt anew, once the files that it names were looked at.

.venv/bin/python tests/tools/renew_library_sources.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.library_sources import PAGE, source_hash, used

HEAD = """\
# Library functions that todo_api overrides, or whose inside it counts on: a hash of the source, the function,
# and the file to look at when the source changes. Written by tests/tools/renew_library_sources.py.
"""


def main() -> None:
    lines = [f"{source_hash(function)} {function} {file}\n" for function, file in used().items()]
    PAGE.write_text(HEAD + "".join(lines), "utf-8")


if __name__ == "__main__":
    main()
