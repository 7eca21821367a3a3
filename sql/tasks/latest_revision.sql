-- The revision of the user's latest change: the state of every list of the user's tasks.
--
-- Parameters: none beyond the user
-- Returns:    revision
--             forgotten_revision   up to which deletions are no longer known in full
--             is_in_step   whether all of the user's tasks are counted and numbered; if not, tasks/number has to come
--                          first. No row: the user has no counter
-- Index:      task_counts_pkey
-- Locks:      none
SELECT
    revision,
    forgotten_revision,
    coalesce(numbered = tasks, FALSE) AS is_in_step
FROM task_counts
WHERE user_id = %s
