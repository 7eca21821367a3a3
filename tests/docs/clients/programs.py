"""Runs the programs of the packages in package.json, and others, for the tests beside this file."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
PATIENCE_S = 280  # the generators take seconds, on a busy machine a minute


def run(*command: str | Path, cwd: Path, **settings: str) -> str:
    """Run a program to its good end; what it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def node_program(name: str) -> Path:
    """A program of the packages."""
    program = MODULES / ".bin" / name
    assert program.exists(), f"{name} is missing: npm ci --ignore-scripts --prefix {HERE}"
    return program


def live_through(program: str, client: Path, service: str) -> None:
    """Compile a program of this folder with the client that it imports, strictly, and run it."""
    folder = client.parent
    shutil.copy(HERE / program, folder)
    shutil.copy(HERE / "support.ts", folder)
    (folder / "node_modules").symlink_to(MODULES)
    compiled = folder / "compiled"
    strict = ("--strict", "--skipLibCheck", "--lib", "es2022,dom,dom.iterable")
    modules = ("--module", "commonjs", "--moduleResolution", "node10", "--esModuleInterop")
    sources = [*folder.glob("*.ts"), *(client.rglob("*.ts") if client.is_dir() else [])]
    run(
        *(node_program("tsc"), *strict, *modules, "--target", "es2022"),
        *("--rootDir", folder, "--outDir", compiled, *sources),
        cwd=folder,
    )
    out = run("node", (compiled / program).with_suffix(".js"), service, cwd=folder)
    assert out == "all done\n"
