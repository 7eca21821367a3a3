-- Give the user a counter for the quotas and the revisions, if there is none: at sign-up, and for accounts that were
-- made in another way. If there is one, lock it, so that tasks/number sees all that is counted: a former version of the
-- service, which takes no turn, adds and deletes tasks only with this lock.
--
-- Parameters: none beyond the user
-- Returns:    nothing
-- Index:      users_pkey, task_counts_pkey, tasks_pkey
-- Locks:      the user's row of task_counts, until commit
INSERT INTO task_counts AS held (user_id, tasks, numbered)
SELECT
    user_id,
    0,
    CASE WHEN NOT EXISTS (SELECT FROM tasks WHERE tasks.user_id = %s) THEN 0 END
FROM users
WHERE user_id = %s
ON CONFLICT (user_id) DO UPDATE
    SET tasks = held.tasks
