-- Batches that were sent with a key can no longer be answered as the first time.
--
-- Locks: ACCESS EXCLUSIVE on batch_results, users
--        Nobody reads or writes them meanwhile; users for the foreign key.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table, ban-drop-function

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION batch_room(integer[], integer, bigint);
DROP FUNCTION sweep_batch_results(integer);
DROP TABLE batch_results;
