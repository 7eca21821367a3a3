"""What the service's own sources never do: the kinds of call that turn data into code, and weak hashes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.source_files import PACKAGE, sources

SOURCES = sources()
# Runs text, or what was pickled; reads XML; hides what is imported.
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "render_template_string",
    "popen",
    "system",
}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "yaml", "xml", "lxml", "random"}
HASHES = {"sha256", "blake2s"}


def nodes(source: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(source))


def wrong(source: str) -> set[str]:
    """What is in a source that may not be."""
    found = set()
    for node in nodes(source):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                # re.compile makes a pattern
                of_re = (
                    isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "re.compile"
                )
                if name in FORBIDDEN_CALLS and not of_re:
                    found.add(name)
                found |= {"shell" for keyword in node.keywords if keyword.arg == "shell"}
            case ast.Import(names=names):
                found |= {one.name.split(".")[0] for one in names} & FORBIDDEN_MODULES
            case ast.ImportFrom(module=str(module)):
                found |= {module.split(".")[0]} & FORBIDDEN_MODULES
            case ast.Attribute(value=ast.Name(id="hashlib"), attr=name):
                found |= {name} - HASHES
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_source_runs_no_data_and_hashes_well(file: Path) -> None:
    assert wrong(file.read_text(encoding="utf-8")) <= allowed(str(file.relative_to(PACKAGE)))


def allowed(name: str) -> set[str]:
    # a request's id and the order of cores need not be secret
    return {"random"} if name in ("web/request.py", "processes/machine.py") else set()


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')", "exec(text)", "compile(text, '', 'exec')", "os.system('ls')", "import pickle",
        "from xml.etree import ElementTree", "import lxml.etree", "subprocess.run(x, shell=True)",
        "hashlib.md5(b'')", "hashlib.new('md5')", "import random", "render_template_string(text)",
    ],
)  # fmt: skip
def test_what_a_source_may_not_do_is_seen(source: str) -> None:
    assert wrong(source)
