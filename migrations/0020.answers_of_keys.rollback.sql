-- The answers that were kept with keys are lost.
--
-- Locks: ACCESS EXCLUSIVE on idempotency_keys
--        Nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-column

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

ALTER TABLE idempotency_keys
DROP COLUMN revision,
DROP COLUMN answer;

COMMENT ON COLUMN idempotency_keys.task_id IS 'The task that was created; it may be gone since.';
