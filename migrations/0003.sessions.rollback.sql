-- All sessions are lost: everybody has to log in again.
--
-- Locks: ACCESS EXCLUSIVE on sessions, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-function, ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION begin_session(uuid, uuid);
DROP FUNCTION begin_request(uuid);
DROP TABLE sessions;
