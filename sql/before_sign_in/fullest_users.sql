-- The users who hold the most tasks, by their ids alone.
--
-- Why here:   an operator's check runs it as todo_auth, which sees the counters of all users; nobody is signed in
-- Parameters: most   how many users
-- Returns:    user_id
--             tasks     how many they hold
-- Index:      none: it reads the counters, one row for each user who ever had a task
-- Locks:      none
SELECT
    user_id,
    tasks
FROM task_counts
ORDER BY tasks DESC, user_id ASC
LIMIT %(most)s::integer
