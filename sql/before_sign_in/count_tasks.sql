-- How many tasks some users have.
--
-- Why here:   an operator's command, run as todo_auth; nobody is signed in
-- Parameters: users   the ids, as the text of an array
-- Returns:    user_id, tasks, for each user who ever had a task
-- Index:      task_counts_pkey
-- Locks:      none
SELECT
    user_id::text AS user_id,
    tasks
FROM task_counts
WHERE user_id = ANY(%(users)s::uuid[])
