-- The users who have no counter: they never had a task, and somebody else added their account.
--
-- Why here:   an operator's command, run as todo_auth, which sees all accounts and counters; nobody is signed in
-- Parameters: none
-- Returns:    user_id, for each user
-- Index:      users_pkey and task_counts_pkey, all of both
-- Locks:      none
SELECT users.user_id::text AS user_id
FROM users
WHERE
    NOT EXISTS (
        SELECT
        FROM task_counts
        WHERE task_counts.user_id = users.user_id
    )
