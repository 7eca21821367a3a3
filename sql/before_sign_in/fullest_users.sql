-- The users whose quotas are the fullest, by their ids alone.
--
-- Why here:   an operator's check runs it as todo_auth, which sees the counters of all users; nobody is signed in
-- Parameters: most        how many users
--             max_tasks   how many tasks a user may hold
--             max_text    how many bytes of text these may have
-- Returns:    user_id
--             tasks        how many they hold
--             text_bytes   how much text these have
--             share        of the fuller quota: 1 when it is used up
-- Index:      none: it reads the counters, one row for each user who ever had a task
-- Locks:      none
SELECT
    user_id,
    tasks,
    text_bytes,
    greatest(
        tasks::double precision / %(max_tasks)s::double precision,
        text_bytes::double precision / %(max_text)s::double precision
    ) AS share
FROM task_counts
ORDER BY share DESC, user_id ASC
LIMIT %(most)s::integer
