-- The user's account, and how much it holds.
--
-- Parameters: none beyond the user
-- Returns:    email
--             created_at
--             tasks        how many tasks the user has
--             text_bytes   how many bytes their texts are in UTF-8
-- Index:      users_pkey; tasks_pkey, over all tasks of the user
-- Locks:      none
SELECT
    email,
    created_at,
    (
        SELECT count(*)
        FROM tasks
        WHERE tasks.user_id = %s
    ) AS tasks,
    (
        SELECT coalesce(pg_catalog.sum(pg_catalog.octet_length(tasks.title)), 0)
        FROM tasks
        WHERE tasks.user_id = %s
    ) AS text_bytes
FROM users
WHERE user_id = %s
