-- All codes for new passwords and all invites are lost.
--
-- Locks: ACCESS EXCLUSIVE on invites, reset_codes, task_counts, users
--        users for the foreign key: nobody reads or writes them meanwhile.
-- Time:  a moment, whatever the tables hold
-- squawk-ignore-file ban-drop-function, ban-drop-table

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

DROP FUNCTION find_reset_code(bytea), use_reset_code(bytea), find_invite(bytea, text), use_invite(bytea, text),
sweep_reset_codes(integer), sweep_invites(integer);

DROP POLICY task_counts_of_operator ON task_counts;
REVOKE SELECT (tasks) ON task_counts FROM todo_auth;

DROP TABLE invites;
DROP TABLE reset_codes;
