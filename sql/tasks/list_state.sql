-- What the list's tag is made of, for a client that has the list already and asks whether it still holds.
-- Every change of a task moves its updated_at. The latest of them would not do: a transaction that began earlier
-- may commit later.
--
-- Parameters: none beyond the user
-- Returns:    state   SHA-256 of each updated_at in the order of the list, with commas between
-- Index:      tasks_newest_first, which is in this order already: no sort
-- Locks:      none
SELECT encode(sha256(convert_to(coalesce(string_agg(updated_at::text, ','), ''), 'UTF8')), 'hex') AS state
FROM (
    SELECT updated_at
    FROM tasks
    WHERE user_id = %s
    ORDER BY created_at DESC, id DESC
) AS newest_first
