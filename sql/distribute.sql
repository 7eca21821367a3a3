-- Spread the users over the workers of a Citus cluster. users becomes a reference table, copied to every node;
-- sessions, tasks, task_counts and idempotency_keys are distributed by user_id, all rows of a user on one worker.
-- Not a statement of the service: a DBA runs it on the coordinator, as a superuser, after `todo-api migrate`:
--
--     psql "$COORDINATOR" -v ON_ERROR_STOP=1 -f sql/distribute.sql
--
-- When:     even a big server is not enough for the writes or the size. No single statement gets faster;
--           SCALING.md beside this file has the measurements.
-- Before:   install the extension on every node, register the nodes at the coordinator, and let the coordinator
--           connect to the workers as the tables' owner and as todo_app (pg_hba.conf). SCALING.md has the commands.
--           Undo partitions first (partition.sql).
-- Locks:    those of create_distributed_table: writes to the five tables wait until the end, or are answered 503
--           after 2 s. It gives up if it can't get a lock within 5 s, and can be run again.
-- How long: every row is copied to a worker: 7 s for 500 000 tasks on a small machine.
-- Safe:     one transaction: all or nothing. It can be run again, and has to be run again after a migration that
--           changes a policy, a grant or begin_request. Tables that are distributed already are not changed.
-- Back:     undistribute_table; SCALING.md has the commands.
--
-- auth_events (whose user may be unknown), rate_limits and applied_migrations stay ordinary tables of the
-- coordinator. The service needs no restart: its connections are ended below, and each new connection checks for
-- the extension.

BEGIN;

SET LOCAL lock_timeout = '5s';

-- If row security would hide rows, the copy fails instead of leaving them out.
SET LOCAL row_security = off;

-- The coordinator connects to the workers as the role of the request.
ALTER ROLE todo_app LOGIN;

-- Citus can't propagate a policy with a sub-select, so these have only the expression.
ALTER POLICY users_own ON users
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

ALTER POLICY sessions_own ON sessions
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

ALTER POLICY tasks_own ON tasks
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

ALTER POLICY task_counts_own ON task_counts
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

ALTER POLICY idempotency_keys_own ON idempotency_keys
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

-- With a foreign key to a reference table auth_events would become a Citus table too. On the coordinator, INSERT …
-- SELECT into such a table ignores row security (tried). Without the foreign key it stays an ordinary table, and
-- a DBA who deletes a user has to delete the user's events too.
ALTER TABLE auth_events DROP CONSTRAINT IF EXISTS auth_events_user_id_fkey;

-- Citus writes column defaults into the statement that it sends to a worker, so these columns need grants.
GRANT INSERT (created_at) ON users, sessions TO todo_app;
GRANT INSERT (id, created_at, updated_at) ON tasks TO todo_app;
GRANT USAGE ON SEQUENCE auth_events_id_seq TO todo_app;

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
    FOREACH kept IN ARRAY ARRAY['tasks', 'sessions', 'task_counts', 'idempotency_keys'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_dist_partition WHERE logicalrelid = format('public.%I', kept)::regclass AND partmethod = 'h'
        ) THEN
            PERFORM create_distributed_table(
                format('public.%I', kept), 'user_id',
                colocate_with => CASE kept WHEN 'tasks' THEN 'none' ELSE 'public.tasks' END
            );
        END IF;
    END LOOP;
END
$distribute$;

COMMIT;

SELECT count(pg_terminate_backend(pid)) AS ended_connections
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database()
    AND application_name = 'todo-api';
