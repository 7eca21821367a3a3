-- What was deleted is lost.
--
-- Locks: ACCESS EXCLUSIVE on deleted_tasks, users
--        Nobody reads or writes them meanwhile; users for the foreign key.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table, ban-drop-function

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION sweep_deleted_tasks(integer);
DROP TABLE deleted_tasks;
