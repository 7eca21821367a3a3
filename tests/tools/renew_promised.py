"""Adds what is new to tests/project/promised.txt. It refuses while a promise is broken.

.venv/bin/python tests/tools/renew_promised.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.promises import PAGE, broken, kept, promised

HEAD = """\
# What every version 1.x keeps (CHANGELOG.md, "What is promised from now on"), a line for each name. A line
# that is lost fails a test. tests/tools/renew_promised.py adds new ones: don't edit this file.
"""


def main() -> None:
    found = kept()
    if lost := broken(promised() if PAGE.exists() else set(), found):
        sys.exit("\n".join(lost))
    PAGE.write_text(HEAD + "".join(f"{line}\n" for line in sorted(found)), "utf-8")


if __name__ == "__main__":
    main()
