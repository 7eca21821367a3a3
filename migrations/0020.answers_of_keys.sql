-- Keys remember the new task's revision, and an answer that can't be made again.
--
-- Locks: ACCESS EXCLUSIVE on idempotency_keys
--        For the columns nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- depends: 0019.deleted_tasks

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE idempotency_keys
ADD COLUMN revision bigint,
ADD COLUMN answer text;

COMMENT ON COLUMN idempotency_keys.revision IS 'The new task''s. Null: made by a version that had none.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Null: it can be made again from the other columns and the same body.';
COMMENT ON COLUMN idempotency_keys.task_id IS
'The task that was created; it may be gone since. For a batch a random id, which no task has.';

GRANT INSERT (revision, answer) ON idempotency_keys TO todo_app;
