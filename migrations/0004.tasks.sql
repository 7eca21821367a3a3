-- Tasks, and how many each user holds.
--
-- Locks: SHARE ROW EXCLUSIVE on users
--        For the foreign keys: nobody writes to users meanwhile, reads go on.
-- Time:  a moment, whatever the tables hold
-- depends: 0003.sessions

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

CREATE TABLE tasks (
    user_id      uuid        NOT NULL,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    title        text        NOT NULL,
    completed_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tasks_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT tasks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 500),
    CONSTRAINT tasks_title_trimmed CHECK (title = btrim(title)),
    CONSTRAINT tasks_title_has_no_control_characters CHECK (title !~ '[\u0001-\u001F\u007F-\u009F]')
) WITH (fillfactor = 90);  -- room for the new version of a row beside the old one (HOT): no index holds what changes

COMMENT ON TABLE tasks IS 'Tasks, each of them its user''s and nobody else''s.';
COMMENT ON COLUMN tasks.completed_at IS 'Null: still open.';

-- Carries the list in its order, newest first, without a sort. It would hold the whole answer with INCLUDE (title,
-- completed_at, updated_at): 100 tasks from 6 blocks instead of 104 (of a million tasks, measured), but only where
-- vacuum has just been (103 once 5 % of the rows were updated), at twice the size, and completing a task would no
-- longer be HOT (16 blocks instead of 7).
CREATE INDEX tasks_newest_first ON tasks (user_id, created_at DESC, id DESC);

GRANT SELECT, DELETE, INSERT (user_id, title), UPDATE (title, completed_at, updated_at) ON tasks TO todo_app;

ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE tasks FORCE ROW LEVEL SECURITY;

CREATE POLICY tasks_own ON tasks TO todo_app
USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
WITH CHECK (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));

-- The quota needs an exact count that costs the same at 10 and at 10 000 tasks. Its row lock makes parallel
-- creates of one user take turns. tasks/create and tasks/delete keep it, in the task's own statement.
CREATE TABLE task_counts (
    user_id uuid    NOT NULL,
    -- the quota is far below two billion
    -- squawk-ignore prefer-bigint-over-int
    tasks   integer NOT NULL,
    CONSTRAINT task_counts_pkey PRIMARY KEY (user_id),
    CONSTRAINT task_counts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    CONSTRAINT task_counts_not_negative CHECK (tasks >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE task_counts IS 'How many tasks a user holds, for the quota. Kept by tasks/create and tasks/delete.';

GRANT SELECT, INSERT (user_id, tasks), UPDATE (tasks) ON task_counts TO todo_app;

ALTER TABLE task_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE task_counts FORCE ROW LEVEL SECURITY;

CREATE POLICY task_counts_own ON task_counts TO todo_app
USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))
WITH CHECK (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
