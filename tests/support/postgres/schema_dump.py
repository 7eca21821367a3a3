"""The whole schema as pg_dump tells it: what migrations/schema.sql holds."""

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import psycopg

from todo_api.embedded.programs import environment, find_programs

PAGE = Path(__file__).parents[3] / "migrations" / "schema.sql"
HEADER = """\
-- The whole schema at once, as PostgreSQL itself tells it: what all migrations together make.
-- To read, not to apply. Renewed by `python tests/tools/schema_dump.py`;
-- the tests compare it with the migrations.
--
-- Left out: who migrated and so owns all but two functions, and yoyo's own tables. The roles todo_app and
-- todo_auth belong to the whole server, see 0001.roles.sql.
"""
# One counter numbers tables and functions, so it tells the order in which they were made.
_ORDER = """
    SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT oid, proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1
"""
_ENTRY = re.compile(r"^--\n-- Name: .*; Type: .*; Schema: .*\n--\n", re.MULTILINE)
_SUBJECT = re.compile(r"(?:TABLE|ONLY|ON|FUNCTION|VIEW|COLUMN|TYPE|SEQUENCE) public\.(\w+)")
_GRANT = re.compile(r"GRANT (.+) ON TABLE (\S+) TO (\w+);")


def dump(url: str) -> str:
    """The schema of a database, in the same words on every version of PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        owner = connection.info.user
        order = {name: oid for oid, name in connection.execute(_ORDER)}
    groups: dict[str, list[str]] = defaultdict(list)
    for entry in _ENTRY.split(_pg_dump(url))[1:]:
        text = re.sub(rf"^ALTER .* OWNER TO {owner};\n", "", entry, flags=re.MULTILINE)
        text = re.sub(r"^SET .*;\n", "", text, flags=re.MULTILINE)
        text = text.split("\n--\n-- PostgreSQL database dump complete")[0].strip()
        if text:
            subject = _SUBJECT.search(text)
            groups[subject[1] if subject else ""].append(re.sub(r"\n{3,}", "\n\n", text))
    ordered = sorted(groups.items(), key=lambda group: order.get(group[0], 0))
    return "\n\n".join([HEADER, *(_section(name, texts) for name, texts in ordered)]) + "\n"


def _pg_dump(url: str) -> str:
    programs = os.environ.get("PG_BIN")
    run = [find_programs(Path(programs) if programs else None, None).folder / "pg_dump"]
    run += [
        "--schema-only",
        "--exclude-table=_yoyo*",
        "--exclude-table=yoyo_lock",
        f"--dbname={url}",
    ]
    return subprocess.run(
        run, check=True, stdout=subprocess.PIPE, text=True, env=environment()
    ).stdout


def _section(name: str, texts: list[str]) -> str:
    text = "\n\n".join(_in_lines(one) for one in texts if not _GRANT.match(one))
    granted = _granted([line for one in texts if _GRANT.match(one) for line in one.splitlines()])
    return "\n\n".join(filter(None, [f"-- --- {name or 'schema public'} ---", text, granted]))


def _in_lines(text: str) -> str:
    if text.startswith("CREATE POLICY"):
        text = re.sub(r" (USING|WITH CHECK) \(", r"\n    \1 (", text)
    return text


def _granted(grants: list[str]) -> str:
    """One line for a role, where pg_dump writes one for each column."""
    roles: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in grants:
        match = _GRANT.fullmatch(line)
        assert match, line
        for privilege, column in re.findall(r"(\w+)(?:\((\w+)\))?", match[1]):
            roles[match[3], match[2]][privilege].append(column)
    lines = []
    for (role, table), privileges in sorted(roles.items()):
        words = [
            name + (f" ({', '.join(columns)})" if columns[0] else "")
            for name, columns in privileges.items()
        ]
        lines.append(f"GRANT {', '.join(words)} ON TABLE {table} TO {role};")
    return "\n".join(lines)
