-- The user's account, and how much it holds: as counted, or counted now where that has not been done yet.
--
-- Parameters: none beyond the user
-- Returns:    email        in lower case
--             created_at   when the account was made
--             tasks        how many tasks the user has
--             text_bytes   how many bytes their texts are in UTF-8
-- Index:      users_pkey, task_counts_pkey; where the tasks are not counted yet, all of the user are read
-- Locks:      none
WITH held AS MATERIALIZED (
    SELECT
        tasks,
        text_bytes
    FROM task_counts
    WHERE user_id = %s
        AND numbered = tasks
),

counted AS MATERIALIZED (
    SELECT
        pg_catalog.count(*) AS tasks,
        coalesce(
            pg_catalog.sum(
                pg_catalog.octet_length(title)
                + coalesce(pg_catalog.octet_length(notes), 0)
                + pg_catalog.octet_length(pg_catalog.array_to_string(tags, ''))
            ),
            0::bigint
        ) AS text_bytes
    FROM tasks
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM held)
)

SELECT
    email,
    created_at,
    coalesce((SELECT held.tasks FROM held), (SELECT counted.tasks FROM counted)) AS tasks,
    coalesce((SELECT held.text_bytes FROM held), (SELECT counted.text_bytes FROM counted)) AS text_bytes
FROM users
WHERE user_id = %s
