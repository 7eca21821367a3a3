-- The revisions of all users are lost.
--
-- Locks: ACCESS EXCLUSIVE on task_counts
--        Nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-column

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP POLICY task_counts_sweep ON task_counts;
REVOKE SELECT (text_bytes, revision, forgotten_revision, deletions),
UPDATE (numbered, revision, forgotten_revision, deletions) ON task_counts FROM todo_auth;

ALTER TABLE task_counts
DROP COLUMN numbered,
DROP COLUMN text_bytes,
DROP COLUMN revision,
DROP COLUMN forgotten_revision,
DROP COLUMN deletions;

COMMENT ON TABLE task_counts IS 'How many tasks a user holds, for the quota. Kept by tasks/create and tasks/delete.';
