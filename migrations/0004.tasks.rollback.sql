-- All tasks are lost.
--
-- Locks: ACCESS EXCLUSIVE on task_counts, tasks, users
--        users for the foreign keys: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP TABLE task_counts;
DROP TABLE tasks;
