-- All accounts are lost.
--
-- Locks: ACCESS EXCLUSIVE on users
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-function, ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION find_credentials(text);
DROP TABLE users;
