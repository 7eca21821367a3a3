"""Every migration from 0009 on can be applied to a database that Citus distributes."""

import re

import pytest

from support.rules.citus_rule import refused

from .trial import IDS, SHIPPED

# A database is distributed once it has 0008 at least. What came before was applied to ordinary tables.
FIRST = "0009"
SOURCES = {one: (SHIPPED / f"{one}.sql").read_text(encoding="utf-8") for one in IDS}
LATER = [one for one in IDS if one >= FIRST]


@pytest.mark.parametrize("migration", LATER)
def test_a_migration_and_its_rollback_can_be_applied_to_a_distributed_database(
    migration: str,
) -> None:
    earlier = {one: source for one, source in SOURCES.items() if one <= migration}
    assert refused(earlier, migration) == []
    back = (SHIPPED / f"{migration}.rollback.sql").read_text(encoding="utf-8")
    assert refused({**earlier, "back": back}, "back") == []


def test_the_examples_of_the_readme_can() -> None:
    readme = (SHIPPED / "README.md").read_text(encoding="utf-8")
    examples = re.findall(
        r"^`\d{4}\.\w+\.sql`\n\n```sql\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE
    )
    assert [refused({**SOURCES, "new": one}, "new") for one in examples] == [[]] * 3


NESTED = "user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid)"
NEW = (
    "CREATE TABLE codes (user_id uuid NOT NULL, id uuid NOT NULL, {},"
    " CONSTRAINT codes_pkey PRIMARY KEY (user_id, id))"
)
TO_USERS = "CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE"
CASES = {
    f"CREATE POLICY p ON tasks TO todo_app USING ({NESTED})": "a sub-select in a policy",
    f"CREATE POLICY p ON users TO todo_app WITH CHECK ({NESTED})": "a sub-select in a policy",
    f"ALTER POLICY tasks_own ON tasks USING ({NESTED})": "a sub-select in a policy",
    "CREATE POLICY p ON users AS RESTRICTIVE USING (true)": "a RESTRICTIVE policy",
    "CREATE POLICY p ON tasks USING (EXISTS (SELECT FROM users))": "a sub-select in a policy",
    f"{NEW.format(TO_USERS)}; CREATE POLICY p ON codes USING ({NESTED})": "a sub-select in a policy",
    "CREATE TRIGGER x BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION f()": "a trigger",
    "CREATE TRIGGER x BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f()": "a trigger",
    "ALTER TABLE tasks ADD COLUMN n integer CHECK (n > 0)": "a constraint without a name",
    "ALTER TABLE tasks ADD CHECK (title <> '')": "a constraint without a name",
    "ALTER TABLE tasks ADD COLUMN n integer, ADD CONSTRAINT n CHECK (n > 0)": "in an ALTER TABLE of its own",
    "ALTER TABLE tasks ALTER COLUMN title SET STATISTICS 200": "SetStatistics is not supported",
    "ALTER TABLE tasks ALTER COLUMN title SET STORAGE EXTERNAL": "SetStorage is not supported",
    "ALTER TABLE tasks RENAME CONSTRAINT tasks_title_trimmed TO x": "can't be renamed",
    "CREATE UNIQUE INDEX x ON tasks (id)": "unique without user_id",
    "ALTER TABLE tasks ADD CONSTRAINT x UNIQUE (id)": "unique without user_id",
    "ALTER TABLE tasks ADD COLUMN n uuid CONSTRAINT x UNIQUE": "unique without user_id",
    "CREATE TABLE codes (user_id uuid, id uuid, CONSTRAINT x PRIMARY KEY (id))": "unique without user_id",
    "ALTER TABLE tasks ADD COLUMN n bigserial": "n counts",
    "ALTER TABLE tasks ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY": "n counts",
    "ALTER TABLE tasks ADD COLUMN n bigint DEFAULT nextval('s')": "n counts",
    NEW.format("n bigint GENERATED ALWAYS AS IDENTITY"): "n counts",
    NEW.format(
        f"{TO_USERS}, CONSTRAINT g FOREIGN KEY (user_id, id) REFERENCES tasks (user_id, id)"
    ): "a foreign key to tasks",
    "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES task_counts": "to task_counts: when",
    "ALTER TABLE tasks ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES kinds (id)": "a foreign key to kinds",
    (
        "ALTER TABLE idempotency_keys ADD CONSTRAINT f FOREIGN KEY (user_id, task_id)"
        " REFERENCES tasks (user_id, id) ON DELETE SET NULL (task_id)"
    ): "ON DELETE SET NULL",
    "ALTER TABLE auth_events ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users": "a table of Citus",
    "UPDATE tasks SET title = 'x'": "outside the migrations",
    (
        "CREATE FUNCTION g(wanted text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS"
        " $$ SELECT count(*) FROM public.tasks WHERE title = wanted $$; SELECT g('x')"
    ): "a parameter in an SQL function",
    (
        "CREATE FUNCTION g(wanted text) RETURNS TABLE (email text) LANGUAGE sql AS"
        " $$ SELECT u.email FROM users AS u INNER JOIN tasks AS t ON u.user_id = t.user_id"
        " WHERE t.title = wanted $$; SELECT g('x')"
    ): "tasks: a parameter in an SQL function",
}
# Citus takes these. But constraints have names here, rows are changed outside the migrations, and what counts
# needs a grant on its sequence, as auth_events has it in distribute.sql. A RESTRICTIVE policy is a permissive
# one on the workers: it lets through what the other policies refuse.
TAKEN_TOO = [
    "CREATE POLICY p ON users AS RESTRICTIVE USING (true)",
    NEW.format("n bigint GENERATED ALWAYS AS IDENTITY"),
    "ALTER TABLE tasks ADD CHECK (title <> '')",
    "UPDATE tasks SET title = 'x'",
]
TAKEN = [
    "ALTER TABLE tasks ADD COLUMN n timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE tasks ADD COLUMN n text[] NOT NULL DEFAULT '{}', ADD COLUMN m integer",
    "ALTER TABLE tasks ADD COLUMN n integer CONSTRAINT x CHECK (n > 0)",
    "ALTER TABLE tasks ADD COLUMN g text GENERATED ALWAYS AS (lower(title)) STORED",
    "ALTER TABLE tasks ADD CONSTRAINT x CHECK (title <> '') NOT VALID",
    "ALTER TABLE tasks VALIDATE CONSTRAINT tasks_title_trimmed",
    "ALTER TABLE task_counts ALTER COLUMN tasks TYPE bigint",
    "ALTER TABLE users ADD COLUMN locale text; CREATE UNIQUE INDEX x ON users (locale)",
    "CREATE UNIQUE INDEX x ON tasks (user_id, title)",
    "CREATE INDEX x ON tasks USING gin (to_tsvector('simple', title))",
    "ALTER TABLE tasks RENAME COLUMN completed_at TO done_at",
    "CREATE POLICY p ON tasks USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)",
    NEW.format(TO_USERS),
    (
        "ALTER TABLE idempotency_keys ADD CONSTRAINT f FOREIGN KEY (user_id, task_id)"
        " REFERENCES tasks (user_id, id) ON DELETE CASCADE"
    ),
    "GRANT UPDATE (title) ON tasks TO todo_app",
    "CREATE TYPE mood AS ENUM ('a', 'b'); ALTER TABLE tasks ADD COLUMN m mood",
    (
        "CREATE FUNCTION g(owner uuid) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS"
        " $$ SELECT count(*) FROM public.tasks WHERE user_id = owner $$; SELECT g(gen_random_uuid())"
    ),
    (
        "CREATE FUNCTION g(wanted text) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER AS"
        " $$ SELECT user_id FROM public.users WHERE email = wanted $$; SELECT g('x')"
    ),
    (
        "CREATE FUNCTION g(wanted text) RETURNS bigint LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RETURN (SELECT count(*) FROM public.tasks WHERE title = wanted); END $$; SELECT g('x')"
    ),
    # ordinary tables of the coordinator
    f"CREATE POLICY p ON auth_events USING ({NESTED})",
    "CREATE TABLE counted (id bigint GENERATED ALWAYS AS IDENTITY, CONSTRAINT counted_pkey PRIMARY KEY (id))",
    "CREATE TRIGGER x BEFORE UPDATE ON auth_events FOR EACH ROW EXECUTE FUNCTION f()",
    "UPDATE rate_limits SET hits = '{}'",
]


@pytest.mark.parametrize("statements", CASES)
def test_what_citus_refuses_is_noticed(statements: str) -> None:
    assert CASES[statements] in " ".join(refused({**SOURCES, "new": statements}, "new"))


@pytest.mark.parametrize("statements", TAKEN)
def test_what_citus_takes_is_not(statements: str) -> None:
    assert refused({**SOURCES, "new": statements}, "new") == []


def test_the_former_0009_would_have_been_noticed() -> None:
    former = SOURCES["0009.idempotency_keys"].replace(
        "user_id = nullif(current_setting('app.user_id', true), '')::uuid", NESTED
    )
    assert "sub-select" in " ".join(
        refused({**SOURCES, "0009.idempotency_keys": former}, "0009.idempotency_keys")
    )
