-- An operator's check may see which users hold the most tasks: their ids and counters, nothing else.
--
-- Locks: ACCESS EXCLUSIVE on task_counts
--        For the policy: nobody adds or removes tasks meanwhile.
-- Time:  a moment, whatever the table holds
-- depends: 0015.codes

SET LOCAL lock_timeout = '1500ms';
SET LOCAL statement_timeout = '5s';

GRANT SELECT (user_id, tasks) ON task_counts TO todo_auth;

CREATE POLICY task_counts_find ON task_counts FOR SELECT TO todo_auth
USING (TRUE);
