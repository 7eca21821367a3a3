-- Give the user a counter for the quotas and the revisions, if there is none: at sign-up, and for accounts that were
-- made in another way.
--
-- Parameters: none beyond the user
-- Returns:    nothing
-- Index:      users_pkey, task_counts_pkey, tasks_pkey
-- Locks:      the new row, until commit
INSERT INTO task_counts (user_id, tasks, numbered)
SELECT
    user_id,
    0,
    CASE WHEN NOT EXISTS (SELECT FROM tasks WHERE tasks.user_id = %s) THEN 0 END
FROM users
WHERE user_id = %s
ON CONFLICT (user_id) DO NOTHING
