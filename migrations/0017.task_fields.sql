-- Tasks get notes, a due date, a priority, tags and a revision. Users get a counter of revisions, and a count of bytes.
--
-- Every change of a user's tasks takes the user's turn, and the next revision from the user's row of task_counts. A
-- deleted task leaves its id and the revision of the deletion, for 30 days. So a client can ask for all that changed
-- after a revision that it has seen.
--
-- Tasks that were there before have revision 0, and their users' numbered is null: the user's next request counts and
-- numbers them (tasks/number). So nothing has to be filled in here, nor after it. A version of the service that knows
-- nothing of revisions goes on working beside the new one. When it adds or deletes tasks, tasks and numbered differ,
-- and the user's tasks are counted and numbered again. What it changes keeps its revision.
--
-- Locks: ACCESS EXCLUSIVE on idempotency_keys, task_counts, tasks; SHARE ROW EXCLUSIVE on users
--        For columns and constraints nobody reads or writes them meanwhile. users for the foreign key: nobody writes
--        to it meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0016.sign_in_networks

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

-- First what is locked most often, in the order in which requests lock it.
ALTER TABLE idempotency_keys
ADD COLUMN revision bigint,
ADD COLUMN answer text;

ALTER TABLE task_counts
-- as tasks
-- squawk-ignore prefer-bigint-over-int
ADD COLUMN numbered integer,
ADD COLUMN text_bytes bigint NOT NULL DEFAULT 0,
ADD COLUMN revision bigint NOT NULL DEFAULT 0,
ADD COLUMN forgotten_revision bigint NOT NULL DEFAULT 0,
-- tasks/delete keeps it far below two billion
-- squawk-ignore prefer-bigint-over-int
ADD COLUMN deletions integer NOT NULL DEFAULT 0;

ALTER TABLE tasks
ADD COLUMN notes text,
ADD COLUMN due_date date,
ADD COLUMN due_at timestamptz,
-- 0 to 3
-- squawk-ignore prefer-bigint-over-smallint
ADD COLUMN priority smallint NOT NULL DEFAULT 0,
ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
ADD COLUMN revision bigint NOT NULL DEFAULT 0;

ALTER TABLE tasks ADD CONSTRAINT tasks_notes_length
CHECK (char_length(notes) BETWEEN 1 AND 4000) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_notes_have_no_control_characters
CHECK (notes !~ '[\u0001-\u0008\u000B-\u001F\u007F-\u009F]') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_date_range
CHECK (due_date BETWEEN '1970-01-01' AND '9999-12-31') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_at_range
CHECK (due_at >= '1970-01-01 00:00:00+00' AND due_at < '10000-01-01 00:00:00+00') NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_due_once
CHECK (due_date IS NULL OR due_at IS NULL) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_priority_range
CHECK (priority BETWEEN 0 AND 3) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_tags_number
CHECK (cardinality(tags) <= 20) NOT VALID;
-- With a comma on both sides of each: none is empty, begins or ends with a space, has 51 characters or a control
-- character. One with a comma of its own would be two when they are taken apart again, and a null none.
ALTER TABLE tasks ADD CONSTRAINT tasks_tags_form
CHECK (
    tags = '{}'
    OR (
        ',' || array_to_string(tags, ',') || ',' !~ ',,|, | ,|[^,]{51}|[\u0001-\u001F\u007F-\u009F]'
        AND string_to_array(array_to_string(tags, ','), ',') = tags
    )
) NOT VALID;
ALTER TABLE tasks ADD CONSTRAINT tasks_revision_not_negative
CHECK (revision >= 0) NOT VALID;

ALTER TABLE task_counts ADD CONSTRAINT task_counts_text_bytes_not_negative
CHECK (text_bytes >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_deletions_not_negative
CHECK (deletions >= 0) NOT VALID;
ALTER TABLE task_counts ADD CONSTRAINT task_counts_forgotten_revision_is_past
CHECK (forgotten_revision BETWEEN 0 AND revision) NOT VALID;

COMMENT ON TABLE task_counts IS
'How many tasks a user holds and how much text, for the quotas, and the latest revision.';
COMMENT ON COLUMN task_counts.numbered IS
'How many of the tasks have a revision. Null, or not as many as tasks: they have to be counted and numbered.';
COMMENT ON COLUMN task_counts.text_bytes IS 'Of titles, notes and tags, in UTF-8.';
COMMENT ON COLUMN task_counts.revision IS 'Of the user''s latest change.';
COMMENT ON COLUMN task_counts.forgotten_revision IS
'What was deleted up to this revision is no longer known in full: a client that asks from before it starts over.';
COMMENT ON COLUMN task_counts.deletions IS 'How many rows deleted_tasks has of the user.';
COMMENT ON COLUMN tasks.revision IS 'Of the latest change. 0: not numbered yet.';
COMMENT ON COLUMN tasks.due_date IS 'A day of the calendar, in no time zone.';
COMMENT ON COLUMN idempotency_keys.revision IS 'The new task''s. Null: made by a version that had none.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Null: it can be made again from the other columns and the same body.';

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

GRANT INSERT (id, notes, due_date, due_at, priority, tags, revision),
UPDATE (notes, due_date, due_at, priority, tags, revision) ON tasks TO todo_app;
GRANT INSERT (numbered),
UPDATE (numbered, text_bytes, revision, forgotten_revision, deletions) ON task_counts TO todo_app;
GRANT INSERT (revision, answer) ON idempotency_keys TO todo_app;
GRANT SELECT, DELETE, INSERT (user_id, id, revision), UPDATE (revision, deleted_at) ON deleted_tasks TO todo_app;

ALTER TABLE deleted_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE deleted_tasks FORCE ROW LEVEL SECURITY;

CREATE POLICY deleted_tasks_own ON deleted_tasks TO todo_app
USING (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid)
WITH CHECK (user_id = nullif(current_setting('app.user_id', TRUE), '')::uuid);

-- todo_auth removes deletions that are older than 30 days, and says so in the user's row of task_counts, which it can
-- find by the policy that lets an operator see how much each user holds. After a restore the operator lifts revisions.
GRANT SELECT, DELETE ON deleted_tasks TO todo_auth;
GRANT SELECT (text_bytes, revision, forgotten_revision, deletions),
UPDATE (revision, forgotten_revision, deletions) ON task_counts TO todo_auth;

CREATE POLICY deleted_tasks_find_old ON deleted_tasks FOR SELECT TO todo_auth
USING (deleted_at <= now() - interval '30 days');
CREATE POLICY deleted_tasks_sweep ON deleted_tasks FOR DELETE TO todo_auth
USING (deleted_at <= now() - interval '30 days');
CREATE POLICY task_counts_sweep ON task_counts FOR UPDATE TO todo_auth
USING (TRUE);

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
