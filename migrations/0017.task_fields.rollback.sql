-- Notes, due dates, priorities, tags and revisions of all tasks are lost, and what was deleted.
--
-- Locks: ACCESS EXCLUSIVE on deleted_tasks, idempotency_keys, task_counts, tasks, users
--        Nobody reads or writes them meanwhile; users for the foreign key.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-column, ban-drop-table, ban-drop-function

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION sweep_deleted_tasks(integer);
DROP TABLE deleted_tasks;

DROP POLICY task_counts_sweep ON task_counts;
REVOKE SELECT (text_bytes, revision, forgotten_revision, deletions),
UPDATE (revision, forgotten_revision, deletions) ON task_counts FROM todo_auth;
REVOKE INSERT (id) ON tasks FROM todo_app;

ALTER TABLE idempotency_keys
DROP COLUMN revision,
DROP COLUMN answer;
ALTER TABLE task_counts
DROP COLUMN numbered,
DROP COLUMN text_bytes,
DROP COLUMN revision,
DROP COLUMN forgotten_revision,
DROP COLUMN deletions;
ALTER TABLE tasks
DROP COLUMN notes,
DROP COLUMN due_date,
DROP COLUMN due_at,
DROP COLUMN priority,
DROP COLUMN tags,
DROP COLUMN revision;

COMMENT ON TABLE task_counts IS 'How many tasks a user holds, for the quota. Kept by tasks/create and tasks/delete.';
