"""Writes the lock files in requirements/, from pyproject.toml: `.venv/bin/python tests/tools/lock.py`.

What is locked already keeps its version while pyproject.toml admits it. Options go on to uv: `--upgrade`
takes the newest release of everything, `--upgrade-package NAME` of one package.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LOCKS = CHECKOUT / "requirements"


def compile_lock(name: str, *source: str, stdin: str = "", options: list[str]) -> None:
    """Resolves for every platform and Python that pyproject.toml admits, with the hash of each file."""
    oldest = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        *source,
        "--output-file",
        f"requirements/{name}.lock",
    ]
    command += ["--universal", "--python-version", oldest.removeprefix(">="), "--generate-hashes"]
    # an index is the business of whoever installs: its address is no part of the lock
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-index-annotation"]
    command += ["--custom-compile-command", "python tests/tools/lock.py", "--quiet", *options]
    subprocess.run(command, cwd=CHECKOUT, check=True, text=True, input=stdin)


def main(options: list[str]) -> None:
    build = "\n".join(
        tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["build-system"]["requires"]
    )
    compile_lock("build", "-", stdin=build, options=options)
    compile_lock("service", "pyproject.toml", "--extra", "redis", options=options)
    # tested with the very releases that the image runs
    same = ("--constraint", "requirements/service.lock", "--constraint", "requirements/build.lock")
    compile_lock("dev", "pyproject.toml", "--extra", "dev", *same, options=options)


if __name__ == "__main__":
    main(sys.argv[1:])
