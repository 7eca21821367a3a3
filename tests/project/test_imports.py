"""The plan of the house, held against every import: which wing may know which."""

import ast
from functools import cache
from pathlib import Path

import pytest

from support.source_files import PACKAGE, module_of, sources, tree

FACE = "(face)"
# Which wings a wing may import, beside itself. The face starts and wires everything.
MAY_IMPORT = {
    FACE: {
        "accounts", "attempts", "auth", "batches", "check", "database", "docs", "embedded", "lists",
        "observability", "operator", "processes", "server", "settings", "sync", "tasks", "upkeep", "web",
    },
    "check": {"auth", "embedded", "settings", "upkeep"},
    "accounts": {"attempts", "auth", "body", "database", "docs", "lists", "tasks", "web"},
    "batches": {"auth", "body", "database", "docs", "tasks", "web"},
    "lists": {"auth", "database", "docs", "tasks", "web"},
    "sync": {"auth", "database", "docs", "lists", "tasks", "web"},
    "tasks": {"auth", "body", "database", "docs", "web"},
    "server": {"body", "observability", "processes", "web"},
    "processes": {"observability"},
    "observability": {"database", "docs", "upkeep", "web"},
    "operator": {"auth", "database", "upkeep", "web"},
    "upkeep": {"auth", "database", "settings"},
    "auth": {"attempts", "body", "database", "docs", "web"},
    "attempts": {"body", "database", "settings", "web"},
    "docs": {"web"},
    "body": {"web"},
    "web": {"database", "settings"},
    "database": {"settings"},
    "settings": set(),
    "embedded": set(),
}  # fmt: skip
BLUEPRINTS = {
    f"todo_api.{name}"
    for name in (
        "accounts.api_tokens",
        "accounts.blueprint",
        "accounts.events",
        "accounts.export",
        "accounts.sessions",
        "auth.blueprint",
        "batches.blueprint",
        "docs.blueprint",
        "lists.blueprint",
        "observability.health",
        "sync.blueprint",
        "tasks.blueprint",
    )
}
FLOORS = 14  # as many as imports pass through, one after the other; 15 when all stood in one folder
FILES_OF_A_WING = 16


def wing_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else FACE


def imported(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it; of this package those that exist."""
    names = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative"
            module = str(node.module)
            names |= {f"{module}.{one.name}" for one in node.names} & modules()
            names.add(module)
    return names


@cache
def modules() -> frozenset[str]:
    return frozenset(map(module_of, sources()))


@cache
def own_imports() -> dict[str, set[str]]:
    """What each module imports of this package; a wing's face is only a docstring, and is left out."""
    wings = {f"todo_api.{wing}" for wing in MAY_IMPORT} | {"todo_api"}
    return {
        module_of(file): (imported(file) & modules()) - wings - {module_of(file)}
        for file in sources()
    }


def test_every_folder_is_a_wing_and_says_what_it_is_for() -> None:
    folders = {file.parent for file in sources()} - {PACKAGE, PACKAGE / "deploy" / "examples"}
    assert {folder.name for folder in folders} == MAY_IMPORT.keys() - {FACE}
    for folder in folders:
        face = tree(folder / "__init__.py")
        about = ast.get_docstring(face)
        assert len(face.body) == 1
        assert about
        assert "?" in about
        assert "\n" not in about


def test_the_package_itself_imports_nothing() -> None:
    assert len(tree(PACKAGE / "__init__.py").body) == 1


def test_no_wing_is_crowded() -> None:
    for wing in MAY_IMPORT.keys() - {FACE}:
        files = [file for file in (PACKAGE / wing).glob("*.py") if file.name != "__init__.py"]
        assert 0 < len(files) <= FILES_OF_A_WING, wing


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_its_own_wing_and_those_below_it(file: Path) -> None:
    module = module_of(file)
    used = {wing_of(other) for other in own_imports()[module]} - {wing_of(module)}
    assert used <= MAY_IMPORT[wing_of(module)]


def test_what_a_wing_may_import_is_used() -> None:
    used: dict[str, set[str]] = {wing: set() for wing in MAY_IMPORT}
    for module, others in own_imports().items():
        used[wing_of(module)] |= {wing_of(other) for other in others} - {wing_of(module)}
    unused = {wing: sorted(MAY_IMPORT[wing] - used[wing]) for wing in MAY_IMPORT}
    # The design lets database/ know the settings; it does not need them.
    assert {wing: left for wing, left in unused.items() if left} == {"database": ["settings"]}


def test_there_is_no_circle_between_wings() -> None:
    left = dict(MAY_IMPORT)
    while left:
        free = {wing for wing, others in left.items() if not others & left.keys()}
        assert free, f"a circle among {sorted(left)}"
        left = {wing: others for wing, others in left.items() if wing not in free}


def test_modules_stand_on_a_few_floors_without_a_circle() -> None:
    floors: dict[str, int] = {}

    def floor(module: str, above: tuple[str, ...] = ()) -> int:
        assert module not in above, f"a circle: {' → '.join((*above, module))}"
        if module not in floors:
            below = [floor(other, (*above, module)) for other in own_imports()[module]]
            floors[module] = 1 + max(below, default=0)
        return floors[module]

    assert max(map(floor, own_imports())) <= FLOORS


def test_only_the_application_imports_a_blueprint() -> None:
    importers = {module for module, others in own_imports().items() if others & BLUEPRINTS}
    assert importers == {"todo_api.app"}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["psycopg", "psycopg_pool", "yoyo"])
def test_only_database_and_upkeep_know_the_database_s_library(library: str) -> None:
    importers = {
        wing_of(module_of(file))
        for file in sources()
        if any(name.split(".")[0] == library for name in imported(file))
    }
    # settings/readers.py asks libpq's own parser whether DATABASE_URL is one.
    assert importers <= {"database", "upkeep", "settings"}
    if "settings" in importers:
        readers = imported(PACKAGE / "settings" / "readers.py")
        assert readers & {"psycopg", "psycopg.conninfo"}


@pytest.mark.slow
def test_only_blueprints_and_web_know_flask_s_request() -> None:
    for file in sources():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ImportFrom) and node.module == "flask":
                assert "request" not in {one.name for one in node.names}, file
