-- Notes, due dates, priorities, tags and revisions of all tasks are lost.
--
-- Locks: ACCESS EXCLUSIVE on tasks
--        Nobody reads or writes it meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-column

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

REVOKE INSERT (id) ON tasks FROM todo_app;

ALTER TABLE tasks
DROP COLUMN notes,
DROP COLUMN due_date,
DROP COLUMN due_at,
DROP COLUMN priority,
DROP COLUMN tags,
DROP COLUMN revision;
