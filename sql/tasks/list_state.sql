-- The state for the list's ETag, when a client that has the list asks whether it has changed.
-- Every change of a task changes its updated_at. The latest updated_at alone is not enough: a transaction that
-- began earlier may commit later.
--
-- Parameters: none beyond the user
-- Returns:    state   SHA-256 of all updated_at in the order of the list, with commas between
-- Index:      tasks_newest_first, which is in this order already: no sort
-- Locks:      none
SELECT
    pg_catalog.encode(
        pg_catalog.sha256(
            pg_catalog.convert_to(coalesce(pg_catalog.string_agg(updated_at::text, ','), ''), 'UTF8')
        ),
        'hex'
    ) AS state
FROM (
    SELECT updated_at
    FROM tasks
    WHERE user_id = %s
    ORDER BY created_at DESC, id DESC
) AS newest_first
