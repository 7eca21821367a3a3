-- All idempotency keys are lost: a create that is sent again is done again.
--
-- Locks: ACCESS EXCLUSIVE on idempotency_keys, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP TABLE idempotency_keys;
