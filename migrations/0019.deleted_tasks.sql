-- Which tasks users deleted in the last 30 days, for clients that keep a copy.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign key: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0018.task_counters

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE deleted_tasks (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    revision   bigint      NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deleted_tasks_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT deleted_tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT deleted_tasks_revision_positive CHECK (revision > 0)
);

COMMENT ON TABLE deleted_tasks IS
'Which tasks a user deleted in the last 30 days, for clients that keep a copy. Nothing of what was in them.';

CREATE INDEX deleted_tasks_by_revision ON deleted_tasks (user_id, revision);
CREATE INDEX deleted_tasks_by_time ON deleted_tasks (deleted_at);

GRANT SELECT, DELETE, INSERT (user_id, id, revision), UPDATE (revision, deleted_at) ON deleted_tasks TO todo_app;
GRANT SELECT, DELETE ON deleted_tasks TO todo_auth;

ALTER TABLE deleted_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE deleted_tasks FORCE ROW LEVEL SECURITY;

CREATE POLICY deleted_tasks_own ON deleted_tasks TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

CREATE POLICY deleted_tasks_find_old ON deleted_tasks FOR SELECT TO todo_auth
USING (deleted_at <= now() - interval '30 days');
CREATE POLICY deleted_tasks_sweep ON deleted_tasks FOR DELETE TO todo_auth
USING (deleted_at <= now() - interval '30 days');

-- As the functions of 0011. The counters come first, as for everybody who deletes a task.
CREATE FUNCTION sweep_deleted_tasks(most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired CONSTANT timestamptz := now() - interval '30 days';
    border  timestamptz;
    gone    uuid[];
    removed integer;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true), set_config('plan_cache_mode', 'force_custom_plan', true);
    SELECT max(oldest.deleted_at), array_agg(oldest.id) INTO border, gone
    FROM (
        SELECT d.id, d.deleted_at
        FROM public.deleted_tasks AS d
        WHERE d.deleted_at <= expired
        ORDER BY d.deleted_at
        LIMIT most
    ) AS oldest;
    UPDATE public.task_counts AS c
    SET
        forgotten_revision = greatest(c.forgotten_revision, least(of_user.revision, c.revision)),
        deletions = greatest(c.deletions - of_user.number, 0)
    FROM (
        SELECT d.user_id, max(d.revision) AS revision, count(*)::integer AS number
        FROM public.deleted_tasks AS d
        WHERE d.deleted_at <= border AND d.id = ANY (gone)
        GROUP BY d.user_id
    ) AS of_user
    WHERE c.user_id = of_user.user_id;
    DELETE FROM public.deleted_tasks WHERE deleted_at <= border AND id = ANY (gone);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION sweep_deleted_tasks(integer) IS
'Removes so many of the deletions of all users that are older than 30 days, oldest first; returns how many.';

REVOKE ALL ON FUNCTION sweep_deleted_tasks(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_deleted_tasks(integer) TO todo_app;
GRANT CREATE ON SCHEMA public TO todo_auth;
ALTER FUNCTION sweep_deleted_tasks(integer) OWNER TO todo_auth;
REVOKE CREATE ON SCHEMA public FROM todo_auth;
