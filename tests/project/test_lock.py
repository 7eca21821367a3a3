"""The lock files in requirements/ fit pyproject.toml. That newer releases exist is no fault."""

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
# what each file is locked for: the build backend, the image, CI
LOCKS = {"build": None, "service": ["redis"], "dev": ["dev"]}
ROOT = "todo-api (pyproject.toml)"

PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
VIA = re.compile(r"    # via( .+)?|    #   .+")
ENVIRONMENTS = [
    {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "platform_system": platform.capitalize(),
        "platform_machine": machine,
    }
    for python in ("3.11", "3.12", "3.13", "3.14")
    for platform, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]


@dataclass
class Entry:
    """A package in a lock file."""

    name: str
    version: str
    marker: str | None
    hashes: list[str]
    needed_by: list[str]

    def holds_in(self, environment: dict[str, str]) -> bool:
        return self.marker is None or Marker(self.marker).evaluate(environment)


def read(text: str) -> list[Entry]:
    """The entries; a line that is neither a pin, a hash nor a comment is refused: an URL, an option."""
    entries: list[Entry] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if pin := PIN.fullmatch(line):
            entries.append(Entry(pin[1], pin[2], pin[3], [], []))
        elif HASH.fullmatch(line):
            entries[-1].hashes.append(line.split("=")[1].removesuffix(" \\"))
        elif VIA.fullmatch(line):
            name = line.strip(" #").removeprefix("via").strip()
            entries[-1].needed_by += [name] if name and not name.startswith("-c ") else []
        else:
            raise ValueError(f"not a pinned package: {line}")
    return entries


def direct(lock: str) -> list[Requirement]:
    """What the project itself asks for, with the extras that this file is for."""
    extras = LOCKS[lock]
    if extras is None:
        return [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    todo = [*extras]
    for extra in todo:
        for line in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(line)
            if canonicalize_name(requirement.name) == PROJECT["name"]:
                todo += requirement.extras - {*todo}
            else:
                found.append(requirement)
    return found


def asked_by(requirement: Requirement, version: str) -> list[Requirement] | None:
    """What an installed package asks for here; None when another version is installed, or none."""
    try:
        installed = distribution(requirement.name)
    except PackageNotFoundError:
        return None
    if Version(installed.version) != Version(version):
        return None
    asked = []
    for line in installed.requires or []:
        one = Requirement(line)
        extras = ("", *requirement.extras)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            one.marker = None
            asked.append(one)
    return asked


def faults(lock: str, text: str) -> list[str]:
    """Where a lock file does not fit pyproject.toml."""
    entries = read(text)
    known = {ROOT, *(entry.name for entry in entries)}
    found = [f"{entry.name} has no hash" for entry in entries if not entry.hashes]
    found += [
        f"{entry.name} is there for {parent}, which is not"
        for entry in entries
        for parent in entry.needed_by
        if parent not in known
    ]
    for environment in ENVIRONMENTS:
        locked = [entry for entry in entries if entry.holds_in(environment)]
        if len({entry.name for entry in locked}) < len(locked):
            found.append(f"two versions of a package on {environment['python_version']}")
        found += unmet(direct(lock), {entry.name: entry for entry in locked}, environment)
    here = {entry.name: entry for entry in entries if entry.holds_in(default_environment())}
    found += walk(direct(lock), here)
    return sorted(set(found))


def unmet(
    asked: list[Requirement], locked: dict[str, Entry], environment: dict[str, str]
) -> list[str]:
    return [
        f"{requirement} is not met"
        for requirement in asked
        if requirement.marker is None or requirement.marker.evaluate(environment)
        if (entry := locked.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(entry.version, prereleases=True)
    ]


def walk(asked: list[Requirement], locked: dict[str, Entry]) -> list[str]:
    """From what the project asks for to what that asks for, and on: what is missing, what nobody needs."""
    found = unmet(asked, locked, default_environment())
    todo, seen, reached = [*asked], set(), set()
    for requirement in todo:
        name = canonicalize_name(requirement.name)
        known = (name, frozenset(requirement.extras))
        if known in seen or name not in locked:
            continue
        seen.add(known)
        reached.add(name)
        needs = asked_by(requirement, locked[name].version)
        if needs is None:  # then as the lock file has it
            todo += [
                Requirement(entry.name) for entry in locked.values() if name in entry.needed_by
            ]
            continue
        found += unmet(needs, locked, default_environment())
        todo += needs
    return found + [f"nothing needs {name}" for name in locked.keys() - reached]


def lock_text(lock: str) -> str:
    return (CHECKOUT / "requirements" / f"{lock}.lock").read_text()


def block(text: str, name: str) -> str:
    """The lines of one package."""
    return re.search(rf"^{name}==.*\n(?:    .*\n)*", text, re.M)[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_fits_pyproject(lock):
    assert faults(lock, lock_text(lock)) == []


def test_there_are_no_other_lock_files():
    assert {file.name for file in (CHECKOUT / "requirements").iterdir()} == {
        f"{lock}.lock" for lock in LOCKS
    }


def test_what_ci_tests_is_what_the_image_runs():
    tested = {(entry.name, entry.version): entry for entry in read(lock_text("dev"))}
    for entry in read(lock_text("service")):
        assert tested[entry.name, entry.version].hashes == entry.hashes


def without(name):
    return lambda text: text.replace(block(text, name), "")


def another(name, version):
    return lambda text: re.sub(rf"^{name}==\S+", f"{name}=={version}", text, flags=re.M)


def and_then(lines):
    return lambda text: text + lines


SOME_HASH = f"    --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("lock", "change", "fault"),
    [
        ("service", without("flask"), "flask<4,>=3.1 is not met"),
        ("service", without("redis"), "redis<9,>=5 is not met"),
        ("service", without("psycopg-binary"), "psycopg-binary"),
        ("service", without("werkzeug"), "werkzeug"),
        ("service", another("waitress", "3.0.1"), "waitress==3.0.2 is not met"),
        ("service", another("bcrypt", "4.9"), "bcrypt<6,>=5.0 is not met"),
        ("service", and_then(f"six==1.17.0 \\\n{SOME_HASH}"), "nothing needs six"),
        (
            "service",
            and_then(f"six==1.17.0 \\\n{SOME_HASH}    # via gone\n"),
            "six is there for gone, which is not",
        ),
        ("service", and_then("six==1.17.0 \\\n    # via flask\n"), "six has no hash"),
        (
            "service",
            and_then(f"bcrypt==5.0.1 \\\n{SOME_HASH}    # via flask\n"),
            "two versions of a package",
        ),
        ("build", another("setuptools", "76.0"), "setuptools>=77 is not met"),
        ("build", lambda text: re.sub("    --hash.*\n", "", text), "setuptools has no hash"),
        ("dev", without("ruff"), "ruff<0.18,>=0.17 is not met"),
        ("dev", without("pluggy"), "pluggy"),
    ],
)
def test_what_does_not_fit_is_noticed(lock, change, fault):
    text = lock_text(lock)
    assert change(text) != text
    assert any(fault in found for found in faults(lock, change(text)))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://index.example.com/simple",
        "--find-links wheels",
        "-e .",
        "six @ https://files.example.com/six-1.17.0.whl \\",
        "six>=1.17 \\",
        "six==1.17.0",
    ],
)
def test_what_is_not_pinned_by_version_and_hash_is_refused(line):
    with pytest.raises(ValueError, match="not a pinned package"):
        faults("service", f"{lock_text('service')}{line}\n")
