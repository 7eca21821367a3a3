-- Spread the users over the workers of a Citus cluster. users becomes a reference table, copied to every node; each
-- other table with a user_id is distributed by it, all rows of a user on one worker.
-- Not a statement of the service: a DBA runs it on the coordinator, as a superuser, after each `todo-api migrate`:
--
--     psql "$COORDINATOR" -v ON_ERROR_STOP=1 -f sql/distribute.sql
--
-- When:     even a big server is not enough for the writes or the size. No single statement gets faster;
--           SCALING.md beside this file has the measurements.
-- Before:   install the extension on every node, register the nodes at the coordinator, and let the coordinator
--           connect to the workers as the tables' owner, as todo_app and as todo_auth (pg_hba.conf). SCALING.md has
--           the commands. Undo partitions first (partition.sql).
-- Locks:    those of create_distributed_table: writes to the tables wait until the end, or are answered 503 after
--           2 s. It gives up if it can't get a lock within 5 s, and can be run again.
-- How long: every row is copied to a worker: 7 s for 500 000 tasks on a small machine.
-- Safe:     one transaction: all or nothing. It can be run again, and has to be run again after every migration: the
--           service refuses to start until then. Tables that are distributed already are not changed.
-- Back:     undistribute_table; SCALING.md has the commands.
--
-- auth_events (whose user may be unknown), and the tables without a user_id, stay ordinary tables of the coordinator.
-- The service needs no restart: its connections are ended below, and each new connection checks for the extension.

BEGIN;

SET LOCAL lock_timeout = '5s';

-- If row security would hide rows, the copy fails instead of leaving them out.
SET LOCAL row_security = off;

-- The coordinator connects to the workers as the role of the request; the operator's commands are todo_auth's.
ALTER ROLE todo_app LOGIN;
ALTER ROLE todo_auth LOGIN;

-- Citus can't propagate a policy with a sub-select. The first migrations have it; later ones have only the expression.
DO $policies$
DECLARE
    own CONSTANT text := 'user_id = nullif(current_setting(''app.user_id'', TRUE), '''')::uuid';
    nested       record;
BEGIN
    FOR nested IN
        SELECT policyname AS name, format('%I.%I', schemaname, tablename) AS of_table
        FROM pg_catalog.pg_policies
        WHERE schemaname = 'public'
            AND tablename <> 'auth_events'
            AND qual ~ '^[(]user_id = [(] SELECT '
            AND qual = with_check
    LOOP
        EXECUTE format(
            'ALTER POLICY %1$I ON %2$s USING (%3$s) WITH CHECK (%3$s)', nested.name, nested.of_table, own
        );
    END LOOP;
END
$policies$;

-- With a foreign key to a reference table auth_events would become a Citus table too. On the coordinator, INSERT …
-- SELECT into such a table ignores row security (tried). Without the foreign key it stays an ordinary table, and
-- nothing removes the events of a user whom a DBA deletes by hand (`todo-api users delete` does).
ALTER TABLE auth_events DROP CONSTRAINT IF EXISTS auth_events_user_id_fkey;

-- Citus writes column defaults into the statement that it sends to a worker, so these columns need grants, on each
-- table that todo_app, or todo_auth for the operator's commands, may insert into.
DO $defaults$
DECLARE
    with_default record;
BEGIN
    FOR with_default IN
        SELECT
            service.name AS role,
            owned.attrelid::regclass AS name,
            string_agg(quote_ident(owned.attname), ', ') AS columns
        FROM pg_catalog.pg_attribute AS owned
        CROSS JOIN (VALUES ('todo_app'), ('todo_auth')) AS service (name)
        INNER JOIN pg_catalog.pg_attribute AS owner_column
            ON owned.attrelid = owner_column.attrelid AND owner_column.attname = 'user_id'
        INNER JOIN pg_catalog.pg_class AS made ON owned.attrelid = made.oid
        WHERE made.relnamespace = 'public'::regnamespace
            AND made.relname <> 'auth_events'
            AND made.relkind IN ('r', 'p')
            AND owned.atthasdef
            AND owned.attgenerated = ''
            AND NOT owned.attisdropped
            AND has_column_privilege(service.name, owned.attrelid, owner_column.attnum, 'INSERT')
        GROUP BY service.name, owned.attrelid
    LOOP
        EXECUTE format(
            'GRANT INSERT (%s) ON %s TO %I', with_default.columns, with_default.name, with_default.role
        );
    END LOOP;
END
$defaults$;

GRANT USAGE ON SEQUENCE auth_events_id_seq TO todo_app, todo_auth;

-- As in the migration, but by SET LOCAL, which Citus sends to the workers, unlike set_config. The role is not sent:
-- the coordinator connects to the workers as that role.
CREATE OR REPLACE FUNCTION begin_request(acting_user uuid)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    SET LOCAL citus.propagate_set_commands = 'local';
    SET LOCAL search_path = pg_catalog, public, pg_temp;
    EXECUTE pg_catalog.format('SET LOCAL app.user_id = %L', coalesce(acting_user::pg_catalog.text, ''));
    SET LOCAL row_security = on;
    SET LOCAL statement_timeout = '5s';
    SET LOCAL lock_timeout = '2s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SET LOCAL random_page_cost = 1.1;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO';
    SET LOCAL standard_conforming_strings = on;
    IF pg_catalog.current_setting('transaction_timeout', true) <> '0' THEN  -- from PostgreSQL 17 on
        PERFORM pg_catalog.set_config('transaction_timeout', '0', true);
    END IF;
    PERFORM pg_catalog.set_config('role', 'todo_app', true);
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed'
        OR (pg_catalog.current_setting('transaction_read_only') = 'on' AND NOT pg_catalog.pg_is_in_recovery())
    THEN
        RAISE EXCEPTION 'the transaction is not READ COMMITTED, READ WRITE' USING ERRCODE = '57TD1';
    END IF;
END
$$;

DO $distribute$
DECLARE
    kept text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0) THEN
        RAISE EXCEPTION 'the coordinator is not in its own list of nodes'
            USING HINT = 'SELECT citus_set_coordinator_host(''its address, as the workers see it'')';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_node WHERE groupid <> 0 AND isactive AND shouldhaveshards) THEN
        RAISE EXCEPTION 'there is no worker' USING HINT = 'SELECT citus_add_node(''its address'', 5432)';
    END IF;
    -- for the same reason as with auth_events: the coordinator itself must not have rows of users
    IF EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0 AND shouldhaveshards) THEN
        RAISE EXCEPTION 'the coordinator would hold shards'
            USING HINT = 'SELECT citus_set_node_property(nodename, nodeport, ''shouldhaveshards'', false) '
                'FROM pg_dist_node WHERE groupid = 0';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE oid = 'public.tasks'::regclass AND relkind = 'p') THEN
        RAISE EXCEPTION 'tasks is partitioned: undo that first, by partition.sql with 0';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'public.users'::regclass) THEN
        PERFORM create_reference_table('public.users');
    END IF;
    -- tasks come first: the others lie where they do
    FOR kept IN
        SELECT format('public.%I', made.relname)
        FROM pg_catalog.pg_class AS made
        INNER JOIN pg_catalog.pg_attribute AS owner_column
            ON made.oid = owner_column.attrelid AND owner_column.attname = 'user_id'
        WHERE made.relnamespace = 'public'::regnamespace
            AND made.relkind = 'r'
            AND made.relname NOT IN ('users', 'auth_events')
            AND NOT EXISTS (
                SELECT FROM pg_dist_partition AS there WHERE there.logicalrelid = made.oid AND there.partmethod = 'h'
            )
        ORDER BY made.relname <> 'tasks', made.relname
    LOOP
        PERFORM create_distributed_table(
            kept, 'user_id', colocate_with => CASE kept WHEN 'public.tasks' THEN 'none' ELSE 'public.tasks' END
        );
    END LOOP;
    -- The service compares this with what was applied, before it serves.
    SELECT max(id) INTO kept FROM applied_migrations;
    EXECUTE format(
        'COMMENT ON FUNCTION begin_request(uuid) IS %L',
        'How every transaction of the service starts, on Citus. Made by distribute.sql after ' || kept
    );
END
$distribute$;

COMMIT;

SELECT count(pg_terminate_backend(pid)) AS ended_connections
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database()
    AND application_name = 'todo-api';
