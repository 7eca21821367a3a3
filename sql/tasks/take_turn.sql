-- Take the user's turn: wait until no other transaction changes the user's tasks. Each statement that follows in the
-- transaction sees all that was changed before, and numbers its own change with the next revision. So the quotas are
-- exact, and revisions grow in the order of commits. Not a lock of the row, which would be written to disk even when
-- nothing is to change.
--
-- Parameters: none beyond the user
-- Returns:    is_in_step   whether all of the user's tasks are counted and numbered; if not, the statements that follow
--                          change nothing, and tasks/number has to come first. No row: the user has no counter, and no
--                          turn was taken
--             turn         nothing
-- Index:      task_counts_pkey
-- Locks:      the user's advisory lock, until commit: the same as users/take_turn
SELECT
    coalesce(numbered = tasks, FALSE) AS is_in_step,
    pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(user_id::text, 0::bigint)) AS turn
FROM task_counts
WHERE user_id = %s
