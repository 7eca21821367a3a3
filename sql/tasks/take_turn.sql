-- Take the user's turn: wait until no other transaction changes the user's tasks. Each statement that follows in the
-- transaction sees all that was changed before, and numbers its own change with the next revision. So the quotas are
-- exact, and revisions grow in the order of commits.
--
-- Parameters: none beyond the user
-- Returns:    is_in_step   whether all of the user's tasks are counted and numbered; if not, the statements that follow
--                          change nothing, and tasks/number has to come first. No row: the user has no counter
-- Index:      task_counts_pkey
-- Locks:      the user's row of task_counts, until commit
SELECT coalesce(numbered = tasks, FALSE) AS is_in_step
FROM task_counts
WHERE user_id = %s
FOR NO KEY UPDATE
