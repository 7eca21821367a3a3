"""The migration files: what each has to say and to bound, and PostgreSQL's word on what it locks."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlparse

FOLDER = Path(__file__).parents[2] / "migrations"
IDS = sorted(file.stem for file in FOLDER.glob("[0-9]*.sql") if ".rollback" not in file.name)
FILES = [*(f"{one}.sql" for one in IDS), *(f"{one}.rollback.sql" for one in reversed(IDS))]
BESIDE = ["README.md", "schema.sql", "squawk.toml"]

NONE = "none on a table that was there before"
MOMENT = "a moment, whatever the tables hold"
MODES = [  # strongest first; ACCESS SHARE, which every SELECT takes, is not worth a word
    "ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE", "SHARE UPDATE EXCLUSIVE",
    "ROW EXCLUSIVE", "ROW SHARE",
]  # fmt: skip
LOCK = rf"(?:{'|'.join(MODES)}) on \w+(?:, \w+)*"
# 1500 ms: PostgreSQL cancels an autovacuum in the way after 1 s, and a request waits for 2 s
BOUNDS = (
    r"SET LOCAL lock_timeout = '1500ms';\nSET LOCAL statement_timeout = '([1-9]\d*(?:s|min))';\n\n"
)
ALONE = "-- transactional: false"
BOUNDS_ALONE = (
    r"SET lock_timeout = '[1-9]\d*(s|min)';\nSET statement_timeout = '[1-9]\d*(min|h)';\n\n"
)
REPEATABLE = r"SET |DROP INDEX CONCURRENTLY IF EXISTS \w+;|CREATE (UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS "


def sections(header: str) -> dict[str, list[str]]:
    """What stands under Locks and under Time, line by line."""
    found: dict[str, list[str]] = {}
    current = None
    for line in header.splitlines():
        if match := re.match(r"-- (Locks: |Time:  )(?=\S)", line):
            current = match[1].strip(" :")
            found.setdefault(current, []).append(line[10:])
        elif current and line.startswith("--        "):
            found[current].append(line[10:])
        else:
            current = None
    return found


def breaches(text: str) -> list[str]:
    """What is wrong with a migration or a rollback."""
    header, _, rest = text.partition("\n\n")
    said = sections(header)
    if (
        not header.startswith("-- ")
        or header.startswith("-- Locks")
        or list(said) != ["Locks", "Time"]
    ):
        return ["its header says what it is for, what it locks and for how long"]
    found = []
    if said["Locks"][0] != NONE and not re.fullmatch(rf"{LOCK}(?:; {LOCK})*", said["Locks"][0]):
        found.append("after Locks: stand modes and tables")
    alone = ALONE in header.splitlines()
    bounds = re.match(BOUNDS_ALONE if alone else BOUNDS, rest)
    if not bounds:
        found.append("every wait is bounded, before anything else")
    elif not alone and said["Time"][0] == MOMENT and bounds[1] != "5s":
        found.append("a moment is at most 5 s")
    if alone:
        statements = [sqlparse.format(one, strip_comments=True) for one in sqlparse.split(rest)]
        for before, one in zip(["", *statements], statements, strict=False):
            if not re.match(REPEATABLE, one):
                found.append("outside a transaction stands only what can be repeated")
            made = re.match(r"CREATE .*INDEX CONCURRENTLY IF NOT EXISTS (\w+)", one)
            if made and before != f"DROP INDEX CONCURRENTLY IF EXISTS {made[1]};":
                found.append("what a killed CREATE INDEX left is dropped first")
    return found


# --- what a file says and bounds ---


def test_nothing_else_lies_there() -> None:
    names = {file.name for file in FOLDER.iterdir()} - {"__pycache__"}
    assert names == {*FILES, *BESIDE}
    assert [one[:4] for one in IDS] == [f"{number:04}" for number in range(1, len(IDS) + 1)]


@pytest.mark.parametrize("file", FILES)
def test_a_file_says_what_it_locks_for_how_long_and_bounds_every_wait(file: str) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert breaches(text) == []
    # whether there is a transaction is said by the migration and holds for its rollback; both say it
    other = file.replace(".sql", ".rollback.sql").replace(".rollback.rollback", "")
    assert (ALONE in text) == (ALONE in (FOLDER / other).read_text(encoding="utf-8"))


# Those before have been applied; 0016 locks two.
@pytest.mark.parametrize("one", [one for one in IDS if one > "0017"])
def test_a_file_shuts_requests_out_of_one_table_at_most(one: str) -> None:
    """With two it can run into a deadlock with requests, in whatever order it locks them."""
    text = (FOLDER / f"{one}.sql").read_text(encoding="utf-8")
    locks = sections(text.partition("\n\n")[0])["Locks"][0]
    harmless = "SHARE UPDATE EXCLUSIVE on "
    shut = [part for part in locks.split("; ") if part != NONE and not part.startswith(harmless)]
    assert [part for part in shut if "," in part] == []
    assert len(shut) <= 1


HEADER = f"-- A column.\n--\n-- Locks: ACCESS EXCLUSIVE on tasks\n-- Time:  {MOMENT}\n\n"
BOUNDED = "SET LOCAL lock_timeout = '1500ms';\nSET LOCAL statement_timeout = '5s';\n\n"
INDEX = (
    f"-- An index.\n--\n-- Locks: SHARE UPDATE EXCLUSIVE on tasks\n-- Time:  minutes\n{ALONE}\n\n"
    "SET lock_timeout = '10min';\nSET statement_timeout = '2h';\n\n"
    "DROP INDEX CONCURRENTLY IF EXISTS x;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS x ON tasks (id);\n"
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (BOUNDED, "its header says"),
        (HEADER.replace("-- A column.\n--\n", "") + BOUNDED, "its header says"),
        (HEADER.replace("-- Locks", "-- Blocks") + BOUNDED, "its header says"),
        (HEADER.replace("-- Time: ", "-- Timing: ") + BOUNDED, "its header says"),
        (HEADER.replace("ACCESS EXCLUSIVE on tasks", "tasks") + BOUNDED, "after Locks:"),
        (HEADER, "every wait is bounded"),
        (HEADER + BOUNDED.replace("1500ms", "5s"), "every wait is bounded"),
        (HEADER + BOUNDED.replace("1500ms", "0"), "every wait is bounded"),
        (HEADER + BOUNDED.replace("SET LOCAL", "SET"), "every wait is bounded"),
        (HEADER + BOUNDED.replace("5s", "0"), "every wait is bounded"),
        (HEADER + "CREATE TABLE x ();\n" + BOUNDED, "every wait is bounded"),
        (HEADER + BOUNDED.replace("'5s'", "'10min'"), "a moment is at most 5 s"),
        (INDEX.replace("SET ", "SET LOCAL "), "every wait is bounded"),
        (INDEX.replace("'2h'", "'0'"), "every wait is bounded"),
        (INDEX + "ALTER TABLE tasks ADD COLUMN x text;\n", "only what can be repeated"),
        (INDEX.replace("IF NOT EXISTS ", ""), "only what can be repeated"),
        (INDEX.replace("DROP INDEX CONCURRENTLY IF EXISTS x;\n", ""), "is dropped first"),
        (INDEX.replace("IF EXISTS x;", "IF EXISTS y;"), "is dropped first"),
    ],
)
def test_a_file_that_does_not_is_noticed(text: str, complaint: str) -> None:
    assert complaint in " ".join(breaches(text))


def test_a_file_that_does_is_not() -> None:
    assert breaches(HEADER + BOUNDED) == []
    assert breaches(INDEX) == []


def test_the_examples_of_the_readme_do() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    examples = re.findall(
        r"^`\d{4}\.\w+\.sql`\n\n```sql\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE
    )
    assert [breaches(example) for example in examples] == [[]] * 3


# --- PostgreSQL's word ---

_LOCKED = """
    SELECT relation, mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY (%s)
"""
_READ = "SELECT relid, seq_scan + coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables"
_TABLES = """
    SELECT oid, relname, relfilenode FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""


def effect(connection: psycopg.Connection[Any], statements: str) -> tuple[str, set[str]]:
    """Run `statements`: what they locked, as a header says it, and which tables they read or rewrote."""
    with connection.transaction():
        before = {oid: (name, node) for oid, name, node in connection.execute(_TABLES)}
        read_before = dict(connection.execute(_READ).fetchall())
        connection.execute(statements.encode())
        locked: dict[str, str] = {}
        for oid, lock in connection.execute(_LOCKED, [list(before)]):
            mode = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", lock.removesuffix("Lock")).upper()
            name = before[oid][0]
            if mode in MODES:
                locked[name] = min(locked.get(name, MODES[-1]), mode, key=MODES.index)
        touched = {
            name
            for oid, name, node in connection.execute(_TABLES)
            if oid in before and before[oid][1] != node
        }
        touched |= {
            before[oid][0]
            for oid, count in connection.execute(_READ)
            if oid in before and count != read_before.get(oid, 0)
        }
    modes = [mode for mode in MODES if mode in locked.values()]
    said = (
        f"{mode} on {', '.join(sorted(name for name in locked if locked[name] == mode))}"
        for mode in modes
    )
    return "; ".join(said) or NONE, touched


def test_each_file_locks_what_its_header_says_and_in_a_moment_reads_no_row(
    empty_database_url: str,
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for file in FILES:
            text = (FOLDER / file).read_text(encoding="utf-8")
            said = sections(text.partition("\n\n")[0])
            if ALONE in text:
                for statement in sqlparse.split(text):
                    connection.execute(statement.encode())
                continue
            locked, touched = effect(connection, text)
            assert (file, said["Locks"][0]) == (file, locked)
            if said["Time"][0] == MOMENT:
                assert (file, touched) == (file, set())


@pytest.mark.parametrize(
    ("statement", "locked", "touched"),
    [
        ("ALTER TABLE users ADD COLUMN note text", "ACCESS EXCLUSIVE on users", False),
        ("ALTER TABLE users ADD COLUMN n uuid DEFAULT gen_random_uuid()", "ACCESS EXCLUSIVE on users", True),
        ("ALTER TABLE users ALTER COLUMN email SET NOT NULL", "ACCESS EXCLUSIVE on users", False),
        ("ALTER TABLE users ADD CHECK (email <> '')", "ACCESS EXCLUSIVE on users", True),
        ("ALTER TABLE users ADD CHECK (email <> '') NOT VALID", "ACCESS EXCLUSIVE on users", False),
        ("CREATE INDEX ON tasks (title)", "SHARE on tasks", True),
        ("UPDATE tasks SET title = 'x'", "ROW EXCLUSIVE on tasks", True),
    ],
)  # fmt: skip
def test_what_a_statement_locks_and_reads_is_seen(
    database_url: str, statement: str, locked: str, touched: bool
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        seen = effect(connection, statement)
    assert (seen[0], bool(seen[1])) == (locked, touched)
