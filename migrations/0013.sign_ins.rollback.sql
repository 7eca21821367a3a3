-- Where sessions came from is lost, and each token of a sign-in becomes a session of its own.
--
-- Locks: ACCESS EXCLUSIVE on sessions
--        For the columns: nobody reads or writes sessions meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-column

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

REVOKE UPDATE (expires_at) ON sessions FROM todo_app;

ALTER TABLE sessions DROP COLUMN user_agent;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN signed_in_at;
ALTER TABLE sessions DROP COLUMN sign_in_id;
